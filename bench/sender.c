// SPDX-License-Identifier: Apache-2.0
// Sends UDP datagrams in a tight loop and prints the nanoseconds that one took:
// sender ADDRESS PORT BYTES COUNT CPU [LEVEL CHOICE]
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// The time that this thread had the CPU, so that what else the machine does is left out.
static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static char payload[65536];
	struct sockaddr_in to = { .sin_family = AF_INET };
	cpu_set_t cpus;

	if (argc != 6 && argc != 8)
		return 2;
	to.sin_port = htons(atoi(argv[2]));
	inet_pton(AF_INET, argv[1], &to.sin_addr);
	size_t bytes = strtoul(argv[3], NULL, 10);
	long count = strtol(argv[4], NULL, 10), lost = 0;

	// The receiving side's work runs in the same softirq: on one CPU, it is always counted and always the same.
	CPU_ZERO(&cpus);
	CPU_SET(atoi(argv[5]), &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);

	int sock = socket(AF_INET, SOCK_DGRAM, 0);
	if (sock < 0 || connect(sock, (struct sockaddr *)&to, sizeof(to)) != 0) {
		perror("socket");
		return 1;
	}
	if (argc == 8 && setsockopt(sock, atoi(argv[6]), 1, argv[7], strlen(argv[7])) != 0) {
		perror("setsockopt");
		return 1;
	}
	for (long i = 0; i < count / 20; i++) // warm caches, neighbours and the route of the socket
		send(sock, payload, bytes, 0);
	double begun = seconds();
	for (long i = 0; i < count; i++)
		lost += send(sock, payload, bytes, 0) != (ssize_t)bytes;
	double spent = seconds() - begun;
	if (lost) {
		fprintf(stderr, "%ld of %ld not sent\n", lost, count);
		return 1;
	}
	printf("%.2f\n", spent * 1e9 / count);
	return 0;
}
