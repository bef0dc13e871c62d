/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/lib/flows.h"

#include <errno.h>
#include <netinet/in.h>

#include <rte_byteorder.h>

#include <sluice/owner.h>

#include "secondary/conn6.h"
#include "secondary/local_port.h"

#define VIP   0x500002c0u /* 192.0.2.80 */
#define LOCAL 0x0a3364c6u /* 198.51.100.10 */
#define REAL  0x653364c6u /* 198.51.100.101 */
#define PORT  0x5000

/* 2001:db8::/32 with the words of an IPv4 address in several places. */
static struct sl_addr v6(uint32_t a)
{
	return (struct sl_addr){.w = {0xb80d0120u, a & 0xff, a >> 8, a}};
}

struct flows flows_of(bool ipv6, unsigned int i)
{
	struct sl_addr local = ipv6 ? v6(LOCAL + i) : sl_addr_of_v4(LOCAL + i);
	struct sl_addr real = ipv6 ? v6(REAL) : sl_addr_of_v4(REAL);

	return (struct flows){
		.ipv6 = ipv6,
		.local = {.ref = SL_REF(i, 1), .addr = local},
		.backend = {.ref = FLOWS_BACKEND, .addr = real, .port = PORT},
	};
}

struct flows flows64_of(unsigned int i)
{
	struct flows f = flows_of(false, i);

	f.ipv6 = true;
	f.mode = SL_MODE_FULLNAT64;
	return f;
}

struct conn_table *flows_table(struct bed *b, const struct flows *f)
{
	return f->ipv6 ? &b->worker.conns6 : &b->worker.conns;
}

struct sl_conn_table *flows_shared(struct bed *b, const struct flows *f)
{
	return f->ipv6 ? &b->slot.conns6 : &b->slot.conns;
}

static uint32_t client_addr(uint32_t n)
{
	return 0x0a000000u + n;
}

static uint16_t client_port(uint32_t n)
{
	return (uint16_t)(n * 7);
}

struct conn_new flows_new(struct bed *b, const struct flows *f, uint32_t n)
{
	struct conn_new c = {.virtual_server = FLOWS_SERVER,
			     .backend = FLOWS_BACKEND,
			     .state = SL_CONN_UDP,
			     .flags = sl_mode_flags[f->mode]};

	if (f->ipv6) {
		c.key6[SL_DIR_IN] = (struct sl_tuple6){.proto = IPPROTO_UDP,
						       .saddr = v6(client_addr(n)),
						       .daddr = v6(VIP),
						       .sport = client_port(n),
						       .dport = PORT};
		c.key6[SL_DIR_OUT] = (struct sl_tuple6){.proto = IPPROTO_UDP,
							.saddr = f->backend.addr,
							.daddr = f->local.addr,
							.sport = PORT};
		c.hash[SL_DIR_IN] = conn6_tuple_hash(&b->worker.conns6, &c.key6[SL_DIR_IN]);
		return c;
	}
	c.key[SL_DIR_IN] = (struct sl_tuple){.proto = IPPROTO_UDP,
					     .saddr = client_addr(n),
					     .daddr = VIP,
					     .sport = client_port(n),
					     .dport = PORT};
	c.key[SL_DIR_OUT] = (struct sl_tuple){.proto = IPPROTO_UDP,
					      .saddr = REAL,
					      .daddr = sl_addr_v4(&f->local.addr),
					      .sport = PORT};
	c.hash[SL_DIR_IN] = conn_tuple_hash(&b->worker.conns, &c.key[SL_DIR_IN]);
	return c;
}

void flows_set_port(struct bed *b, const struct flows *f, struct conn_new *c, uint16_t port)
{
	if (f->ipv6) {
		c->key6[SL_DIR_OUT].dport = rte_cpu_to_be_16(port);
		c->hash[SL_DIR_OUT] = conn6_tuple_hash(&b->worker.conns6, &c->key6[SL_DIR_OUT]);
	} else {
		c->key[SL_DIR_OUT].dport = rte_cpu_to_be_16(port);
		c->hash[SL_DIR_OUT] = conn_tuple_hash(&b->worker.conns, &c->key[SL_DIR_OUT]);
	}
}

int flows_open(struct bed *b, const struct flows *f, uint32_t n, uint32_t *at)
{
	struct conn_new c = flows_new(b, f, n);
	uint16_t port;
	int rc;

	conn_intend(&b->worker);
	port = local_port_take(&b->worker, &f->local, local_port_group(&f->backend.addr),
			       &c.port_pool);
	flows_set_port(b, f, &c, port);
	rc = port ? conn_open(&b->worker, flows_table(b, f), &c, at) : -EADDRNOTAVAIL;
	if (rc && port)
		local_port_put(&b->worker, c.port_pool, &f->local.addr, port);
	conn_agreed(&b->worker);
	return rc;
}

static uint32_t find6(struct bed *b, const struct sl_tuple6 *tuple, uint8_t *dir)
{
	const struct conn_table *t = &b->worker.conns6;
	uint64_t key[CONN6_WORDS];
	struct sl_conn6 *e;

	conn6_words(tuple, key);
	e = conn6_find(t, key, conn6_hash(t, key), dir);
	return e ? (uint32_t)(e - t->entry6) : FLOWS_NONE;
}

static uint32_t find4(struct bed *b, const struct sl_tuple *tuple, uint8_t *dir)
{
	const struct conn_table *t = &b->worker.conns;
	struct sl_conn *e;
	uint64_t key[2];

	memcpy(key, tuple, sizeof(key));
	key[0] &= CONN_KEY_MASK;
	e = conn_find(t, key, conn_hash(t, key[0], key[1]), dir);
	return e ? (uint32_t)(e - t->entry) : FLOWS_NONE;
}

uint32_t flows_find(struct bed *b, const struct flows *f, uint32_t n, uint8_t *dir)
{
	struct conn_new c = flows_new(b, f, n);

	return f->ipv6 ? find6(b, &c.key6[SL_DIR_IN], dir) : find4(b, &c.key[SL_DIR_IN], dir);
}

uint32_t flows_find_reply(struct bed *b, const struct flows *f, uint32_t at, uint8_t *dir)
{
	return f->ipv6 ? find6(b, &b->slot.conns6.entry6[at].key[SL_DIR_OUT], dir)
		       : find4(b, &b->slot.conns.entry[at].key[SL_DIR_OUT], dir);
}

uint16_t flows_port(struct bed *b, const struct flows *f, uint32_t at)
{
	return rte_be_to_cpu_16(f->ipv6 ? b->slot.conns6.entry6[at].key[SL_DIR_OUT].dport
					: b->slot.conns.entry[at].key[SL_DIR_OUT].dport);
}

unsigned int flows_owner(const struct bed *b, const struct flows *f, uint32_t n)
{
	struct sl_addr addr = v6(client_addr(n));

	return f->ipv6 ? sl_owner_client6(&addr, client_port(n), b->root.seed, b->root.n_workers)
		       : sl_owner_client(client_addr(n), client_port(n), b->root.seed,
					 b->root.n_workers);
}
