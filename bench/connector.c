// SPDX-License-Identifier: Apache-2.0
// Short TCP connections, one after the other: connect, request, response, close.
//   connector serve ADDRESS PORT
//   connector ask ADDRESS PORT COUNT    prints the nanoseconds that one connection took, by the wall clock
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int serve(struct sockaddr_in *at)
{
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
	char request[64];

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)at, sizeof(*at)) || listen(listener, 128)) {
		perror("serve");
		return 1;
	}
	for (;;) {
		int connection = accept(listener, NULL, NULL);

		if (recv(connection, request, sizeof(request), MSG_WAITALL) == sizeof(request))
			send(connection, request, sizeof(request), 0);
		recv(connection, request, 1, 0); // the client closes first, so that no port here has to wait
		close(connection);
	}
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static int ask(struct sockaddr_in *at)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 }; // no TIME_WAIT: else the ports run out
	char request[64] = "", response[64];
	int connection = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(connection, (struct sockaddr *)at, sizeof(*at)) ||
		send(connection, request, sizeof(request), 0) != sizeof(request) ||
		recv(connection, response, sizeof(response), MSG_WAITALL) != sizeof(response)) {
		perror("ask");
		return 1;
	}
	setsockopt(connection, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(connection);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = { .sin_family = AF_INET };

	if (argc < 4 || inet_pton(AF_INET, argv[2], &at.sin_addr) != 1)
		return 2;
	at.sin_port = htons(atoi(argv[3]));
	if (!strcmp(argv[1], "serve"))
		return serve(&at);
	long count = strtol(argv[4], NULL, 10);
	double begun = seconds();
	for (long i = 0; i < count; i++)
		if (ask(&at))
			return 1;
	printf("%.0f\n", (seconds() - begun) * 1e9 / count);
	return 0;
}
