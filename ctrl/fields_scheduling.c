/* SPDX-License-Identifier: BSD-3-Clause */
#include "ctrl/fields_scheduling.h"

#include <netinet/in.h>

#include <sluice/snapshot.h>

#include "ctrl/fields_endpoints.h"
#include "ctrl/maglev.h"

#define QUIC_ID_DEFAULT 8
#define QUIC_ID_MAX     20 /* RFC 9000 section 17.2 */

#define SLOW_START_MAX  3600 /* seconds */
#define RESUME_DEFAULT  75   /* per cent, as LVS */

#define PERSISTENCE_MAX 86400 /* seconds */

#define KEY(symbol)     SLUICE__V1__HASH_KEY__HASH_KEY_##symbol

/* Numbers of the API and ours: both are fixed, and are not the same. */
static const struct {
	const char *name;
	Sluice__V1__Scheduler number;
} schedulers[SL_SCHED_MAX] = {
#define X(symbol, name, table) \
	[SL_SCHED_##symbol] = {name, SLUICE__V1__SCHEDULER__SCHEDULER_##symbol},
	SL_SCHEDULERS(X)
#undef X
};

/* SL_SCHED_MAX: unknown. */
static unsigned int scheduler_of(int number)
{
	unsigned int s = 0;

	while (s < SL_SCHED_MAX && (int)schedulers[s].number != number)
		s++;
	return s;
}

static bool hashes(unsigned int scheduler)
{
	return scheduler < SL_SCHED_MAX && sl_sched_tables[scheduler] == SL_SCHED_TABLE_HASH;
}

void fields_clean_scheduling(Sluice__V1__VirtualServer *m)
{
	if (m->scheduler == SLUICE__V1__SCHEDULER__SCHEDULER_UNSPECIFIED)
		m->scheduler = SLUICE__V1__SCHEDULER__SCHEDULER_WRR;
	if (m->hash_key == KEY(UNSPECIFIED) && hashes(scheduler_of(m->scheduler)))
		m->hash_key = KEY(SOURCE_IP);
	if (m->hash_key == KEY(QUIC_CONNECTION_ID) && m->quic_connection_id_length == 0)
		m->quic_connection_id_length = QUIC_ID_DEFAULT;
}

static int decode_hash_key(const struct fields_context *c, const Sluice__V1__VirtualServer *m)
{
	switch ((int)m->hash_key) {
	case KEY(UNSPECIFIED): return 0;
	case KEY(SOURCE_IP): c->r->virtual_server.hash_key = SL_HASH_KEY_SOURCE_IP; break;
	case KEY(SOURCE_IP_PORT): c->r->virtual_server.hash_key = SL_HASH_KEY_SOURCE_IP_PORT; break;
	case KEY(QUIC_CONNECTION_ID):
		c->r->virtual_server.hash_key = SL_HASH_KEY_QUIC_CONNECTION_ID;
		break;
	default:
		return fields_refuse(c, "hash_key",
				     "%d is not known: source_ip, source_ip_port or "
				     "quic_connection_id",
				     (int)m->hash_key);
	}
	if (!hashes(c->r->virtual_server.scheduler))
		return fields_refuse(c, "hash_key", "is for schedulers mh, conhash and sh");
	return 0;
}

static int decode_quic(const struct fields_context *c, const Sluice__V1__VirtualServer *m)
{
	bool quic = c->r->virtual_server.hash_key == SL_HASH_KEY_QUIC_CONNECTION_ID;

	if (!quic && m->quic_connection_id_length)
		return fields_refuse(c, "quic_connection_id_length",
				     "is for hash_key quic_connection_id");
	if (!quic)
		return 0;
	if (!fields_all_endpoints(c->r, IPPROTO_UDP) ||
	    c->r->virtual_server.scheduler == SL_SCHED_SH)
		return fields_refuse(c, "hash_key",
				     "quic_connection_id is for protocol udp with scheduler mh or "
				     "conhash");
	if (m->quic_connection_id_length > QUIC_ID_MAX)
		return fields_refuse(c, "quic_connection_id_length", "%u is not in 1..%d",
				     m->quic_connection_id_length, QUIC_ID_MAX);
	c->r->virtual_server.quic_id = (uint8_t)m->quic_connection_id_length;
	return 0;
}

/* A prefix length of `all` bits; 0 is taken as all. */
static int decode_prefix(const struct fields_context *c, const char *field, uint32_t given,
			 uint8_t all, uint8_t *prefix)
{
	if (given > all)
		return fields_refuse(c, field, "%u is not in 1..%u", given, all);
	*prefix = given ? (uint8_t)given : all;
	return 0;
}

static int decode_persistence(const struct fields_context *c, const Sluice__V1__Persistence *m)
{
	uint8_t *prefix = c->r->virtual_server.persistence_prefix;
	int rc;

	if (!m)
		return 0;
	if (m->timeout_seconds < 1 || m->timeout_seconds > PERSISTENCE_MAX)
		return fields_refuse(c, "persistence.timeout_seconds", "%u is not in 1..%d",
				     m->timeout_seconds, PERSISTENCE_MAX);
	c->r->virtual_server.persistence = m->timeout_seconds;
	rc = decode_prefix(c, "persistence.ipv4_prefix_length", m->ipv4_prefix_length, 32,
			   &prefix[0]);
	return rc ? rc
		  : decode_prefix(c, "persistence.ipv6_prefix_length", m->ipv6_prefix_length, 128,
				  &prefix[1]);
}

int fields_decode_scheduling(const struct fields_context *c, const Sluice__V1__VirtualServer *m)
{
	unsigned int scheduler = scheduler_of(m->scheduler);
	int rc;

	if (scheduler == SL_SCHED_MAX)
		return fields_refuse(c, "scheduler",
				     "%d is not known: rr, wrr, mh, conhash, sh, fo, lc or wlc",
				     (int)m->scheduler);
	c->r->virtual_server.scheduler = (uint8_t)scheduler;
	c->r->virtual_server.expire_quiescent = m->expire_quiescent;
	c->r->virtual_server.max_connections = m->max_connections;
	rc = decode_hash_key(c, m);
	if (!rc)
		rc = decode_quic(c, m);
	return rc ? rc : decode_persistence(c, m->persistence);
}

int fields_decode_pool_scheduling(const struct fields_context *c, const Sluice__V1__BackendPool *m)
{
	if (m->mh_table_size && (m->mh_table_size > MAGLEV_SIZE_MAX || m->mh_table_size < 3 ||
				 !maglev_is_prime(m->mh_table_size)))
		return fields_refuse(c, "mh_table_size", "%u is not a prime in 3..%d",
				     m->mh_table_size, MAGLEV_SIZE_MAX);
	if (m->slow_start_seconds > SLOW_START_MAX)
		return fields_refuse(c, "slow_start_seconds", "%u is not in 0..%d",
				     m->slow_start_seconds, SLOW_START_MAX);
	c->r->backend_pool.mh_table_size = m->mh_table_size;
	c->r->backend_pool.slow_start = m->slow_start_seconds;
	return 0;
}

void fields_clean_backend_limit(Sluice__V1__Backend *m)
{
	if (m->max_connections && !m->resume_percent)
		m->resume_percent = RESUME_DEFAULT;
}

int fields_decode_backend_limit(const struct fields_context *c, const Sluice__V1__Backend *m)
{
	if (m->resume_percent > 100)
		return fields_refuse(c, "resume_percent", "%u is not in 1..100", m->resume_percent);
	if (m->resume_percent && !m->max_connections)
		return fields_refuse(c, "resume_percent", "is for a backend with max_connections");
	c->r->backend.max_connections = m->max_connections;
	c->r->backend.resume = (uint8_t)m->resume_percent;
	return 0;
}
