/* SPDX-License-Identifier: BSD-3-Clause */
/*
 *   load CLIENT-NETNS SERVER-NETNS SERVER-DEVICE CLIENT VIRTUAL SERVER[,SERVER...] PORT RATE
 *        FLOWS CONNECTIONS
 *
 * Lines on standard input, each answered by one of JSON:
 *
 *   look            what happened since the last look (load.h)
 *   hold, go        send nothing new; go on
 *   ports           the client port of each flow
 *   owners N N ...  which worker has each flow; pauses are measured by worker
 *   echo            the server's device is another one
 *   fill N          N datagrams of N other client ports to port 9, never answered
 *
 * The end of standard input ends it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/chaos/load.h"

#define SOCKET_BUFFER   (8 << 20)
#define FILL_PORT       9
#define FILL_FIRST      12000 /* its ports are below those that the kernel chooses */
#define FILL_PER_CLIENT 20000 /* ports of one client address */

static struct load_config config;

void enter(const char *netns)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

int open_socket(int type, struct in_addr address, uint16_t port)
{
	struct sockaddr_in local = {
		.sin_family = AF_INET, .sin_addr = address, .sin_port = htons(port)};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1,
	    size = SOCKET_BUFFER;

	if (fd < 0)
		die("socket");
	if (port) /* else two clients over UDP could be given the same one */
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (type == SOCK_DGRAM)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (const struct sockaddr *)&local, sizeof(local)))
		die("bind");
	return fd;
}

/* Ends in the clients' namespace. */
static void echo(void)
{
	enter(config.server_netns);
	echo_at(config.server_device, config.port);
	enter(config.client_netns);
}

/* The servers' socket is there, so that nobody answers that there is none, and is never read. */
static void fill(unsigned int n)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_addr = config.virtual, .sin_port = htons(FILL_PORT)};
	unsigned int sent = 0;

	for (unsigned int i = 0; i < n; i++) {
		struct in_addr client = {htonl(ntohl(config.client.s_addr) + i / FILL_PER_CLIENT)};
		int fd = open_socket(SOCK_DGRAM, client,
				     (uint16_t)(FILL_FIRST + i % FILL_PER_CLIENT));

		sent += sendto(fd, &i, sizeof(i), 0, (struct sockaddr *)&to, sizeof(to)) > 0;
		close(fd);
		if (i % 32 == 0)
			usleep(1000);
	}
	printf("{\"sent\":%u}\n", sent);
}

static void look(void)
{
	struct udp_account u;
	struct tcp_account t;

	udp_look(&u);
	tcp_look(&t);
	printf("{\"sent\":%lu,\"lost\":%ld,\"doubled\":%lu,\"wrong\":%lu,\"moved\":%lu,"
	       "\"pause_us\":%lu,\"sender_us\":%lu,\"machine_us\":%lu,",
	       u.sent, u.lost, u.doubled, u.wrong, u.moved, u.pause_us, u.sender_us,
	       machine_look());
	printf("\"tcp\":{\"open\":%u,\"late\":%u,\"broken\":%lu,\"wrong\":%lu,"
	       "\"exchanges\":%lu}}\n",
	       t.open, t.late, t.broken, t.wrong, t.exchanges);
}

static void say_ports(void)
{
	printf("{\"ports\":[");
	for (unsigned int i = 0; i < config.flows; i++)
		printf("%s%u", i ? "," : "", udp_client_port(i));
	printf("]}\n");
}

static void obey(char *line)
{
	line[strcspn(line, "\n")] = '\0';
	if (!strcmp(line, "look")) {
		look();
	} else if (!strcmp(line, "ports")) {
		say_ports();
	} else if (!strcmp(line, "echo")) {
		echo();
		printf("{}\n");
	} else if (!strncmp(line, "fill ", 5)) {
		fill((unsigned int)strtoul(line + 5, NULL, 10));
	} else if (!strcmp(line, "hold") || !strcmp(line, "go")) {
		udp_hold(*line == 'h');
		tcp_hold(*line == 'h');
		printf("{}\n");
	} else if (!strncmp(line, "owners ", 7)) {
		udp_set_owners(line + 7);
		printf("{}\n");
	} else {
		fprintf(stderr, "load: what is '%s'?\n", line);
		exit(2);
	}
	fflush(stdout);
}

static int parse(char **argv)
{
	char *rest = argv[6];

	config.client_netns = argv[1];
	config.server_netns = argv[2];
	config.server_device = argv[3];
	for (char *word; (word = strsep(&rest, ","));)
		if (config.n_servers == MAX_SERVERS ||
		    !inet_aton(word, &config.server[config.n_servers++]))
			return 0;
	config.port = (uint16_t)atoi(argv[7]);
	config.rate = (unsigned int)atoi(argv[8]);
	config.flows = (unsigned int)atoi(argv[9]);
	config.connections = (unsigned int)atoi(argv[10]);
	return inet_aton(argv[4], &config.client) && inet_aton(argv[5], &config.virtual) &&
	       config.port && config.rate && config.flows;
}

int main(int argc, char **argv)
{
	struct rlimit files;
	char line[4096];

	if (argc != 11 || !parse(argv)) {
		fprintf(stderr, "usage: load CLIENT-NETNS SERVER-NETNS SERVER-DEVICE CLIENT "
				"VIRTUAL SERVER[,SERVER...] PORT RATE FLOWS CONNECTIONS\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		die("number of files");
	enter(config.server_netns);
	open_socket(SOCK_DGRAM, (struct in_addr){INADDR_ANY}, FILL_PORT);
	echo();
	udp_start(&config);
	tcp_start(&config); /* ends in the clients' namespace */
	machine_start();
	while (fgets(line, sizeof(line), stdin))
		obey(line);
	return 0;
}
