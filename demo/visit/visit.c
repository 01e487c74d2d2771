/* What visit.py does when it connects, in C and over IPv6: visit NAME ADDRESS PORT. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include "teams.h" /* of the bundle */

static int refused(void)
{
	printf("refused: errno %d (%s)\n", errno, strerror(errno));
	return 1;
}

int main(int count, char **words)
{
	struct timeval longest = {.tv_sec = 5};
	struct sockaddr_in6 there = {.sin6_family = AF_INET6};
	struct teams_socket_status now;
	char text[64];
	ssize_t length;
	int fd;

	if (count != 4 || inet_pton(AF_INET6, words[2], &there.sin6_addr) != 1)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	there.sin6_port = htons((uint16_t)atoi(words[3]));
	fd = *words[1] ? teams_socket(AF_INET6, SOCK_STREAM, 0, words[1]) : socket(AF_INET6, SOCK_STREAM, 0);
	if (fd < 0)
		return refused();
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof(longest)); /* of connect(), too */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof(longest));
	if (connect(fd, (struct sockaddr *)&there, sizeof(there)) != 0)
		return refused();
	if (write(fd, "who?", 4) != 4 || (length = read(fd, text, sizeof(text))) <= 0)
		return refused();
	printf("answered by %.*s\n", (int)length, text);
	while (fgets(text, sizeof(text), stdin)) {
		if (teams_status(fd, &now) != 0)
			return refused();
		printf("status: %s%s%s, %llu packets, %u bytes added, MSS %u\n",
			now.state == TEAMS_NOTHING ? "nothing chosen" : now.state == TEAMS_CHOSEN ? "chosen" : "gone",
			*now.name ? " " : "", now.name, (unsigned long long)now.packets, now.overhead, now.mss);
	}
	return 0;
}
