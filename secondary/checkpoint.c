/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sluice/checkpoint.h>
#include <sluice/log.h>
#include <sluice/owner.h>
#include <sluice/shm.h>
#include <sluice/snat.h>

#include "secondary/local_port.h"
#include "secondary/worker.h"

SL_LOG_TYPE(checkpoint_log, "sluice.worker.checkpoint");

#define BEAT_EVERY 65536 /* entries */

/* In the file's order. */
static struct conn_table *table(struct worker *w, unsigned int family)
{
	return family ? &w->conns6 : &w->conns;
}

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

static void path_of(const struct worker *w, char path[PATH_MAX], const char *suffix)
{
	char directory[sizeof(w->root->runtime_dir) + sizeof("/checkpoint")];

	snprintf(directory, sizeof(directory), "%s/checkpoint", w->root->runtime_dir);
	sl_checkpoint_path(path, directory, w->id, suffix);
}

/* ---- writing ----------------------------------------------------------------------- */

static struct sl_checkpoint header_for(const struct worker *w)
{
	return sl_checkpoint_of(w->id, w->n_workers, w->root->seed);
}

static int put(FILE *file, const void *data, size_t len)
{
	return fwrite(data, len, 1, file) == 1 ? 0 : -EIO;
}

static void *entry_of(const struct conn_table *t, uint32_t i)
{
	return (char *)t->entry + ((uint64_t)i << t->entry_shift);
}

static int write_entries(struct worker *w, FILE *file, struct sl_checkpoint *h, unsigned int family)
{
	const struct conn_table *t = table(w, family);
	uint32_t size = h->entry_size[family];
	int rc = 0;

	for (uint32_t i = 0; i < t->shared->capacity && !rc; i++) {
		if (i % BEAT_EVERY == 0)
			worker_beat(w);
		if (!t->check[i])
			continue;
		rc = put(file, entry_of(t, i), size);
		h->entries_crc = rte_hash_crc(entry_of(t, i), size, h->entries_crc);
		h->count[family]++;
	}
	return rc;
}

/* The header comes last: a file without one was not finished. */
static int write_file(struct worker *w, FILE *file)
{
	struct sl_checkpoint h = {0};
	int rc = put(file, &h, sizeof(h));

	h = header_for(w);
	h.realtime_ns = realtime_ns();
	h.tick = w->clock.tick;
	for (unsigned int family = 0; family < 2 && !rc; family++)
		rc = write_entries(w, file, &h, family);
	h.header_crc = sl_checkpoint_header_crc(&h);
	rewind(file);
	if (!rc)
		rc = put(file, &h, sizeof(h));
	if (!rc)
		sl_log(checkpoint_log, INFO, "worker %u: %u connections written", w->id,
		       h.count[0] + h.count[1]);
	return rc;
}

int checkpoint_write(struct worker *w)
{
	char path[PATH_MAX], new[PATH_MAX];
	FILE *file;
	int rc;

	if (!w->slot->worker.checkpoint_read)
		return 0; /* there may be one that waits to be taken up */
	snprintf(new, sizeof(new), "%s/checkpoint", w->root->runtime_dir);
	mkdir(new, 0700); /* what is wrong with it, opening the file will say */
	path_of(w, path, "");
	path_of(w, new, ".new");
	file = fopen(new, "we");
	rc = file ? write_file(w, file) : -errno;
	if (file && fclose(file) && !rc)
		rc = -errno;
	if (!rc && rename(new, path))
		rc = -errno;
	if (rc) {
		sl_log(checkpoint_log, ERR, "worker %u: %s: %s", w->id, new, strerror(-rc));
		unlink(new);
	}
	return rc;
}

/* ---- reading ----------------------------------------------------------------------- */

/* What the snapshot has, by id. */
struct known {
	uint32_t *virtual_server; /* reference */
	uint32_t *backend;        /* reference */
	struct sl_addr *local;
};

static void known_free(struct known *k)
{
	free(k->virtual_server);
	free(k->backend);
	free(k->local);
}

static void known_add_snat(const struct sl_snapshot *s, struct known *k)
{
	const struct sl_snat_policy *p = sl_snapshot_at(s, s->snat_policies);

	for (uint32_t i = 0; i < s->snat_policies.count; i++) {
		k->virtual_server[SL_REF_ID(p[i].server.ref)] = p[i].server.ref;
		k->backend[SL_REF_ID(p[i].outside.ref)] = p[i].outside.ref;
	}
}

static int known_fill(const struct worker *w, struct known *k)
{
	const struct sl_snapshot *s = w->snapshot;
	const struct sl_virtual_server *v = sl_snapshot_at(s, s->virtual_servers);
	const struct sl_backend *b = sl_snapshot_at(s, s->backends);
	const struct sl_local_address *l = sl_snapshot_at(s, s->local_addresses);

	k->virtual_server = malloc(w->root->max_virtual_servers * sizeof(uint32_t));
	k->backend = malloc(w->root->max_backends * sizeof(uint32_t));
	k->local = calloc(w->root->max_local_addresses, sizeof(*k->local));
	if (!k->virtual_server || !k->backend || !k->local)
		return -ENOMEM;
	memset(k->virtual_server, 0xff, w->root->max_virtual_servers * sizeof(uint32_t));
	memset(k->backend, 0xff, w->root->max_backends * sizeof(uint32_t));
	for (uint32_t i = 0; i < s->virtual_servers.count; i++)
		k->virtual_server[SL_REF_ID(v[i].ref)] = v[i].ref;
	for (uint32_t i = 0; i < s->backends.count; i++)
		k->backend[SL_REF_ID(b[i].ref)] = b[i].ref;
	for (uint32_t i = 0; i < s->local_addresses.count; i++)
		k->local[SL_REF_ID(l[i].ref)] = l[i].addr;
	known_add_snat(s, k);
	return 0;
}

/* What of an entry of either family has to be checked. */
struct endpoints {
	uint8_t proto[2];
	struct sl_addr local;
	bool other_family;         /* the backend's side is of the other family than the client's */
	uint16_t local_port;       /* host order */
	uint32_t group;            /* of local ports */
	bool reply_to_client;      /* what comes back goes to the client's endpoint */
	unsigned int client_owner; /* of what the client sends */
};

static struct endpoints endpoints4(const struct worker *w, const struct sl_conn *e)
{
	const struct sl_tuple *in = &e->key[SL_DIR_IN], *out = &e->key[SL_DIR_OUT];
	bool direct = e->core.flags & SL_CONN_F_DIRECT;

	return (struct endpoints){
		.proto = {in->proto, direct ? in->proto : out->proto},
		.local = sl_addr_of_v4(out->daddr),
		.local_port = rte_be_to_cpu_16(out->dport),
		.group = local_port_group4(out->saddr),
		.reply_to_client = out->daddr == in->saddr && out->dport == in->sport,
		.client_owner = sl_owner_conn(e, w->root->seed, w->n_workers),
	};
}

static struct endpoints endpoints6(const struct worker *w, const struct sl_conn6 *e)
{
	const struct sl_tuple6 *in = &e->key[SL_DIR_IN], *out = &e->key[SL_DIR_OUT];

	return (struct endpoints){
		.proto = {in->proto, out->proto},
		.local = out->daddr,
		.other_family = sl_addr_is_v4(&out->saddr),
		.local_port = rte_be_to_cpu_16(out->dport),
		.group = local_port_group(&out->saddr),
		.reply_to_client =
			sl_addr_equal(&out->daddr, &in->saddr) && out->dport == in->sport,
		.client_owner = sl_owner_conn6(e, w->root->seed, w->n_workers),
	};
}

/* Its local port is one of a pool that its group uses. */
static bool port_is_configured(const struct worker *w, const struct known *k,
			       const struct sl_conn_core *e, const struct endpoints *ends)
{
	uint32_t pools = w->root->port_pools_per_address;

	return e->port_pool < w->slot->port_pools &&
	       e->port_pool % pools == local_port_pick(ends->group, pools) &&
	       sl_addr_equal(&k->local[e->port_pool / pools], &ends->local);
}

static bool is_configured(const struct worker *w, const struct known *k,
			  const struct sl_conn_core *e, const struct endpoints *ends)
{
	uint32_t vs = SL_REF_ID(e->virtual_server), backend = SL_REF_ID(e->backend);

	return vs < w->root->max_virtual_servers && k->virtual_server[vs] == e->virtual_server &&
	       backend < w->root->max_backends && k->backend[backend] == e->backend &&
	       (!sl_conn_has_local_port(e) || port_is_configured(w, k, e, ends));
}

/* What comes back leads to this worker, or to a stub of it. */
static bool reply_is_ours(const struct worker *w, const struct sl_conn_core *e,
			  const struct endpoints *ends)
{
	unsigned int owner = sl_owner_local_port(ends->local_port, w->n_workers);

	if (e->flags & SL_CONN_F_DIRECT)
		return !(e->flags & SL_CONN_F_MOVED);
	if (sl_conn_translates(e) != ends->other_family)
		return false;
	if (sl_conn_has_local_port(e))
		return ends->local_port >= SL_LOCAL_PORT_MIN &&
		       (owner != w->id) == !!(e->flags & SL_CONN_F_MOVED);
	return ends->reply_to_client && !(e->flags & SL_CONN_F_MOVED);
}

static bool connection_is_ours(const struct worker *w, const struct sl_conn_core *e,
			       const struct endpoints *ends)
{
	return e->state != SL_CONN_NONE && e->state < SL_CONN_STATE_MAX &&
	       (e->state == SL_CONN_ICMP) == (ends->proto[SL_DIR_IN] == IPPROTO_ICMP) &&
	       reply_is_ours(w, e, ends) && ends->client_owner == w->id;
}

/* The port is ours, and the connection another's. */
static bool stub_is_ours(const struct worker *w, const struct sl_conn_core *e,
			 const struct endpoints *ends)
{
	return e->state == SL_CONN_NONE && conn_has_local_port(e) && reply_is_ours(w, e, ends) &&
	       ends->client_owner != w->id;
}

/* ICMP is of SNAT alone. */
static bool proto_fits(const struct sl_conn_core *e, const struct endpoints *ends)
{
	uint8_t proto = ends->proto[SL_DIR_IN];

	if (proto != ends->proto[SL_DIR_OUT])
		return false;
	if (proto == IPPROTO_ICMP)
		return sl_conn_is_snat(e) && e->flags & SL_CONN_F_ECHO;
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP;
}

static bool is_ours(const struct worker *w, const struct sl_conn_core *e,
		    const struct endpoints *ends)
{
	const uint8_t other_flags = SL_CONN_F_CLAMP | SL_CONN_F_MOVED | SL_CONN_F_STUB;
	enum sl_mode mode = sl_conn_mode(e);

	return proto_fits(e, ends) && mode < SL_MODE_MAX &&
	       (e->flags & ~other_flags) == sl_mode_flags[mode] &&
	       (e->flags & SL_CONN_F_STUB ? stub_is_ours(w, e, ends)
					  : connection_is_ours(w, e, ends));
}

/* Why the file can't be used; NULL when it can. */
static const char *refused(const struct worker *w, const struct sl_checkpoint *h, uint64_t size)
{
	const char *why = sl_checkpoint_refused(h, size, w->root->seed);

	if (!why && (h->n_workers != w->n_workers || h->worker != w->id))
		why = "it is of another number of workers"; /* and could not be dealt out anew */
	return why;
}

/*
 * Entries go where they will stay; none exists yet. Those that do not fit into a smaller table are
 * read for their checksum only.
 */
static bool read_entries(struct worker *w, FILE *file, const struct sl_checkpoint *h,
			 unsigned int family, uint32_t *crc)
{
	const struct conn_table *t = table(w, family);
	uint32_t size = h->entry_size[family];
	union sl_conn_entry e;

	for (uint32_t i = 0; i < h->count[family]; i++) {
		if (i % BEAT_EVERY == 0)
			worker_beat(w);
		if (fread(&e, size, 1, file) != 1)
			return false;
		*crc = rte_hash_crc(&e, size, *crc);
		if (i < t->shared->capacity)
			memcpy(entry_of(t, i), &e, size);
	}
	return true;
}

static bool read_all(struct worker *w, FILE *file, const struct sl_checkpoint *h)
{
	uint32_t crc = 0;

	return read_entries(w, file, h, 0, &crc) && read_entries(w, file, h, 1, &crc) &&
	       crc == h->entries_crc;
}

static uint32_t take_up_table(struct worker *w, const struct known *k,
			      const struct sl_checkpoint *h, unsigned int family)
{
	uint64_t now = realtime_ns();
	uint32_t gone = now > h->realtime_ns
				? (uint32_t)((now - h->realtime_ns) / SL_CHECKPOINT_TICK_NS)
				: 0;
	struct conn_table *t = table(w, family);
	uint32_t count = RTE_MIN(h->count[family], t->shared->capacity), taken = 0;

	for (uint32_t i = 0; i < count; i++) {
		const struct sl_conn_core *e = conn_core(t, i);
		struct endpoints ends =
			family ? endpoints6(w, &t->entry6[i]) : endpoints4(w, &t->entry[i]);

		if (i % BEAT_EVERY == 0)
			worker_beat(w);
		if (is_ours(w, e, &ends) && is_configured(w, k, e, &ends))
			taken += conn_restore(w, t, i, h->tick - e->last_seen + gone,
					      h->tick - e->opened + gone);
	}
	return taken;
}

static uint32_t take_up(struct worker *w, const struct known *k, const struct sl_checkpoint *h)
{
	uint32_t taken = take_up_table(w, k, h, 0) + take_up_table(w, k, h, 1);

	conn_rebuild(w);
	return taken;
}

/* NULL when it was taken up, else why not. */
static const char *import(struct worker *w, FILE *file)
{
	struct known known = {0};
	const char *why = NULL;
	struct sl_checkpoint h = {0};
	struct stat st;

	if (fstat(fileno(file), &st))
		return strerror(errno);
	if (st.st_size >= (off_t)sizeof(h) && fread(&h, sizeof(h), 1, file) != 1)
		return "it cannot be read";
	why = refused(w, &h, (uint64_t)st.st_size);
	if (!why && known_fill(w, &known))
		why = "memory is short";
	if (!why && !read_all(w, file, &h))
		why = "its entries are damaged";
	if (!why)
		sl_log(checkpoint_log, INFO, "worker %u: %u of %u connections taken up", w->id,
		       take_up(w, &known, &h), h.count[0] + h.count[1]);
	known_free(&known);
	return why;
}

void checkpoint_read(struct worker *w)
{
	char path[PATH_MAX], aside[PATH_MAX];
	const char *why;
	FILE *file;

	if (w->slot->worker.checkpoint_read)
		return;
	w->slot->worker.checkpoint_read = 1; /* whoever dies over it has taken up what exists */
	path_of(w, path, "");
	file = fopen(path, "re");
	if (!file)
		return;
	why = import(w, file);
	fclose(file);
	if (!why) {
		unlink(path);
		return;
	}
	path_of(w, aside, ".refused");
	sl_log(checkpoint_log, ERR, "worker %u: %s refused: %s; set aside as %s", w->id, path, why,
	       aside);
	if (rename(path, aside))
		unlink(path);
}
