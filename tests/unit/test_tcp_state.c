/* SPDX-License-Identifier: BSD-3-Clause */
/* Lives of TCP connections through the state table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <rte_tcp.h>

#include "secondary/tcp_state.h"

#define SYN RTE_TCP_SYN_FLAG
#define ACK RTE_TCP_ACK_FLAG
#define FIN RTE_TCP_FIN_FLAG
#define RST RTE_TCP_RST_FLAG

struct step {
	unsigned int way; /* enum sl_conn_dir, TCP_WAY_DIRECT */
	uint8_t flags;
	enum sl_conn_state then;
};

static void live(const struct step *steps, size_t n)
{
	uint8_t s = SL_CONN_SYN_SENT;

	for (size_t i = 0; i < n; i++) {
		s = tcp_next_state(s, steps[i].way, tcp_event_of(steps[i].flags));
		if (s != steps[i].then)
			fail_msg("step %zu: %s, not %s", i, sl_conn_state_names[s],
				 sl_conn_state_names[steps[i].then]);
	}
}
#define LIVE(...)                                              \
	do {                                                   \
		const struct step steps[] = {__VA_ARGS__};     \
		live(steps, sizeof(steps) / sizeof(steps[0])); \
	} while (0)

static void client_closes_first(void **state)
{
	(void)state;
	LIVE({SL_DIR_IN, SYN, SL_CONN_SYN_SENT}, /* sent again */
	     {SL_DIR_OUT, SYN | ACK, SL_CONN_SYN_RECV}, {SL_DIR_IN, ACK, SL_CONN_ESTABLISHED},
	     {SL_DIR_OUT, ACK, SL_CONN_ESTABLISHED}, {SL_DIR_IN, FIN | ACK, SL_CONN_FIN_WAIT},
	     {SL_DIR_OUT, ACK, SL_CONN_FIN_WAIT}, {SL_DIR_OUT, FIN | ACK, SL_CONN_LAST_ACK},
	     {SL_DIR_IN, ACK, SL_CONN_TIME_WAIT}, {SL_DIR_IN, ACK, SL_CONN_TIME_WAIT});
}

static void backend_closes_first(void **state)
{
	(void)state;
	LIVE({SL_DIR_OUT, SYN | ACK, SL_CONN_SYN_RECV}, {SL_DIR_IN, ACK, SL_CONN_ESTABLISHED},
	     {SL_DIR_OUT, FIN | ACK, SL_CONN_CLOSE_WAIT}, {SL_DIR_IN, ACK, SL_CONN_CLOSE_WAIT},
	     {SL_DIR_IN, FIN | ACK, SL_CONN_LAST_ACK}, {SL_DIR_OUT, ACK, SL_CONN_TIME_WAIT});
}

static void refused(void **state)
{
	(void)state;
	LIVE({SL_DIR_OUT, RST | ACK, SL_CONN_CLOSE}, {SL_DIR_IN, ACK, SL_CONN_CLOSE});
}

static void reset_while_open(void **state)
{
	(void)state;
	LIVE({SL_DIR_OUT, SYN | ACK, SL_CONN_SYN_RECV}, {SL_DIR_IN, ACK, SL_CONN_ESTABLISHED},
	     {SL_DIR_IN, RST, SL_CONN_CLOSE});
}

/* A SYN never moves a connection that is open: a blind attacker gains nothing. */
static void stray_syn(void **state)
{
	(void)state;
	LIVE({SL_DIR_OUT, SYN | ACK, SL_CONN_SYN_RECV}, {SL_DIR_IN, ACK, SL_CONN_ESTABLISHED},
	     {SL_DIR_IN, SYN, SL_CONN_ESTABLISHED}, {SL_DIR_OUT, SYN | ACK, SL_CONN_ESTABLISHED});
}

/* The client's side alone: its ACK says that the backend answered. */
static void one_side(void **state)
{
	(void)state;
	LIVE({TCP_WAY_DIRECT, SYN, SL_CONN_SYN_SENT}, {TCP_WAY_DIRECT, ACK, SL_CONN_ESTABLISHED},
	     {TCP_WAY_DIRECT, SYN, SL_CONN_ESTABLISHED},
	     {TCP_WAY_DIRECT, FIN | ACK, SL_CONN_FIN_WAIT}, {TCP_WAY_DIRECT, ACK, SL_CONN_FIN_WAIT},
	     {TCP_WAY_DIRECT, RST, SL_CONN_CLOSE});
}

/* Every state, direction and event leads to a state that exists, and never back to none. */
static void closed_table(void **state)
{
	(void)state;
	for (int s = SL_CONN_SYN_SENT; s < SL_CONN_STATE_MAX; s++)
		for (int way = 0; way < TCP_WAYS; way++)
			for (int e = 0; e < TCP_EVENT_MAX; e++) {
				uint8_t next = tcp_next_state((uint8_t)s, way, e);

				assert_true(next > SL_CONN_NONE && next < SL_CONN_STATE_MAX);
			}
}

/* What is passed by without the table is what the table has nothing for. */
static void nothing_changes(void **state)
{
	(void)state;
	for (int s = SL_CONN_SYN_SENT; s < SL_CONN_STATE_MAX; s++)
		for (int way = 0; way < TCP_WAYS; way++)
			for (int flags = 0; flags < 256; flags++) {
				enum tcp_event event = tcp_event_of((uint8_t)flags);

				if (!tcp_changes_nothing((uint8_t)s, (uint8_t)flags))
					continue;
				assert_int_equal(event, TCP_EVENT_OTHER);
				assert_int_equal(tcp_next_state((uint8_t)s, way, event), s);
			}
	assert_true(tcp_changes_nothing(SL_CONN_ESTABLISHED, ACK));
	assert_false(tcp_changes_nothing(SL_CONN_ESTABLISHED, SYN));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_closes_first),
		cmocka_unit_test(backend_closes_first),
		cmocka_unit_test(refused),
		cmocka_unit_test(reset_while_open),
		cmocka_unit_test(stray_syn),
		cmocka_unit_test(one_side),
		cmocka_unit_test(closed_table),
		cmocka_unit_test(nothing_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
