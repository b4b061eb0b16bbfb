/* Answers from other threads, clients that go away meanwhile, and stopping with requests under way. */
#include "client.h"
#include "base/fd.h"
#include "base/memory.h"
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define GET "GET /x?a=1 HTTP/1.1\r\nHost: h\r\n\r\n"

/* Each test waits for as many `done` as it has runs of wait_then_echo: none may reach into the next test. */
static sem_t started, may_go, done;
static struct http_request *held;

static int init(void **state)
{
	(void)state;
	held = NULL;
	sem_init(&started, 0, 0);
	sem_init(&may_go, 0, 0);
	sem_init(&done, 0, 0);
	return 0;
}

static void wait_then_echo(struct http_request *request)
{
	sem_post(&started);
	sem_wait(&may_go);
	echo(request);
	sem_post(&done);
}

static void defer_waiting(struct http_request *request)
{
	http_defer(request, wait_then_echo);
}

static void answers_from_workers(void **state)
{
	(void)state;
	static struct reply reply;
	struct http_server *server = server_start(
		(struct http_server_config){.threads = 2, .workers = 4, .handler = echo_deferred});
	int fds[20];
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = client_connect(server);
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < ARRAY_LEN(fds); i++)
			client_say(fds[i], GET);
		for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
			client_read(fds[i], &reply, false);
			assert_string_equal(reply.body, "GET /x [] a=1;|");
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	http_server_stop(server, 1000);
}

static void hold(struct http_request *request)
{
	held = request;
	sem_post(&started);
}

static void *answer_held(void *context)
{
	(void)context;
	sem_wait(&started);
	echo(held);
	return NULL;
}

static void answers_from_any_thread(void **state)
{
	(void)state;
	static struct reply reply;
	pthread_t thread;
	struct http_server *server = server_start((struct http_server_config){.handler = hold});
	owned_fd int fd = client_connect(server);
	for (int i = 0; i < 200; i++) {
		pthread_create(&thread, NULL, answer_held, NULL);
		client_say(fd, GET);
		client_read(fd, &reply, false);
		assert_string_equal(reply.body, "GET /x [] a=1;|");
		pthread_join(thread, NULL);
	}
	http_server_stop(server, 1000);
}

/* A handler may answer another, held request. */
static void answer_both(struct http_request *request)
{
	if (!held) {
		hold(request);
		return;
	}
	echo(held);
	echo(request);
}

static void answers_one_request_from_another(void **state)
{
	(void)state;
	static struct reply reply;
	struct http_server *server = server_start((struct http_server_config){.handler = answer_both});
	owned_fd int first = client_connect(server);
	owned_fd int second = client_connect(server);
	client_say(first, GET);
	sem_wait(&started);
	client_say(second, GET);
	client_read(second, &reply, false);
	assert_int_equal(reply.status, 200);
	client_read(first, &reply, false);
	assert_int_equal(reply.status, 200);
	http_server_stop(server, 1000);
}

static void survives_a_client_that_leaves(void **state)
{
	(void)state;
	struct http_server *server =
		server_start((struct http_server_config){.workers = 1, .handler = defer_waiting});
	for (int i = 0; i < 20; i++) {
		int fd = client_connect(server);
		client_say(fd, GET);
		sem_wait(&started);
		struct linger reset = {.l_onoff = i % 2};
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close(fd);
		sem_post(&may_go);
		sem_wait(&done);
	}
	sem_post(&may_go);
	assert_int_equal(client_ask(server, GET)->status, 200);
	sem_wait(&done);
	http_server_stop(server, 1000);
}

static void *stop_gently(void *server)
{
	http_server_stop(server, 60000);
	return NULL;
}

/* Refused, or closed without an answer. */
static bool is_unreachable(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((in_port_t)port)};
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	owned_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0;
}

static void finishes_what_runs_when_stopped(void **state)
{
	(void)state;
	static struct reply reply;
	pthread_t thread;
	struct http_server *server =
		server_start((struct http_server_config){.workers = 1, .handler = defer_waiting});
	int port = http_server_port(server);
	owned_fd int idle = client_connect(server);
	owned_fd int fd = client_connect(server);
	client_say(fd, GET);
	sem_wait(&started);
	pthread_create(&thread, NULL, stop_gently, server);
	assert_true(client_is_closed(idle)); /* at once, long before the grace is over */
	while (!is_unreachable(port))
		continue;
	sem_post(&may_go);
	client_read(fd, &reply, false);
	assert_string_equal(reply.body, "GET /x [] a=1;|");
	assert_non_null(strstr(reply.text, "\r\nConnection: close\r\n"));
	assert_true(client_is_closed(fd));
	pthread_join(thread, NULL);
	sem_wait(&done);
}

static void drops_what_runs_too_long_when_stopped(void **state)
{
	(void)state;
	struct http_server *server =
		server_start((struct http_server_config){.workers = 1, .handler = defer_waiting});
	owned_fd int running = client_connect(server);
	owned_fd int queued = client_connect(server);
	client_say(running, GET);
	sem_wait(&started);
	client_say(queued, GET);
	http_server_stop(server, 50);
	assert_true(client_is_closed(running));
	assert_true(client_is_closed(queued));
	sem_post(&may_go); /* answers nobody */
	sem_wait(&done);
	assert_int_equal(sem_trywait(&started), -1); /* the queued one was never begun */
}

static void answers_503_when_all_is_full(void **state)
{
	(void)state;
	enum { WORKERS = 2, QUEUE = 1024, COUNT = WORKERS + QUEUE + 1 };
	static struct reply reply;
	static struct pollfd clients[COUNT];
	struct http_server *server = server_start((struct http_server_config){
		.workers = WORKERS, .limits = {.connections_per_source = COUNT}, .handler = defer_waiting});
	for (int i = 0; i < COUNT; i++) {
		clients[i] = (struct pollfd){.fd = client_connect(server), .events = POLLIN};
		client_say(clients[i].fd, GET);
		if (i < WORKERS)
			sem_wait(&started);
	}
	/* Whoever is the one too many is answered at once; nobody else is. */
	assert_int_equal(poll(clients, COUNT, 30000), 1);
	int refused = 0;
	while (!clients[refused].revents)
		refused++;
	client_read(clients[refused].fd, &reply, false);
	assert_int_equal(reply.status, 503);
	for (int i = 0; i < COUNT; i++)
		sem_post(&may_go);
	for (int i = 0; i < COUNT; i++) {
		if (i != refused) {
			client_read(clients[i].fd, &reply, false);
			assert_int_equal(reply.status, 200);
			sem_wait(&done);
		}
		close(clients[i].fd);
	}
	http_server_stop(server, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(answers_from_workers, init),
		cmocka_unit_test_setup(answers_from_any_thread, init),
		cmocka_unit_test_setup(answers_one_request_from_another, init),
		cmocka_unit_test_setup(survives_a_client_that_leaves, init),
		cmocka_unit_test_setup(finishes_what_runs_when_stopped, init),
		cmocka_unit_test_setup(drops_what_runs_too_long_when_stopped, init),
		cmocka_unit_test_setup(answers_503_when_all_is_full, init),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
