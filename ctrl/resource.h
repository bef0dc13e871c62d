/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One resource of the configuration: its message as stored and answered, the packed bytes
 * that the store keeps, an etag, and its fields decoded to what a snapshot needs. A resource
 * is checked field by field when it is made and never changes afterwards.
 *
 * Names: a backend's is "pool/backend", all others' are the message's own; the timeouts are
 * one resource named "timeouts". A stored BackendPool holds no backends: they are
 * resources of their own, so that one changed weight is one small row in the store.
 */
#ifndef CTRL_RESOURCE_H
#define CTRL_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bsd/sys/tree.h>
#include <protobuf-c/protobuf-c.h>

#include <sluice/addr.h>

#include "ctrl/problem.h"

/* X(symbol, C name of the message's descriptor, name of the collection in error paths) */
#define RESOURCE_KINDS(X)                                                \
	X(INTERFACE, interface, "interfaces")                            \
	X(ROUTE, route, "routes")                                        \
	X(LOCAL_ADDRESS_POOL, local_address_pool, "local_address_pools") \
	X(BACKEND_POOL, backend_pool, "backend_pools")                   \
	X(BACKEND, backend, "backends")                                  \
	X(VIRTUAL_SERVER, virtual_server, "virtual_servers")             \
	X(TIMEOUTS, timeouts, "timeouts")                                \
	X(SNAT_POLICY, snat_policy, "snat_policies")

/* The numbers are in the store: append only. */
enum resource_kind {
#define X(symbol, message, path) RESOURCE_##symbol,
	RESOURCE_KINDS(X)
#undef X
		RESOURCE_KIND_MAX
};

#define RESOURCE_TIMEOUTS_NAME "timeouts"
#define RESOURCE_TIMEOUTS_MAX  16 /* room for enum sl_conn_state */
#define RESOURCE_NAME_MAX      63 /* characters of a name, of each part of a backend's */
#define RESOURCE_NAME_SIZE     (2 * RESOURCE_NAME_MAX + 2) /* "pool/backend" and a NUL */
#define RESOURCE_ETAG_SIZE     17                          /* 16 hexadecimal digits and a NUL */
/*
 * A SNAT policy has ids of virtual servers' and of backends' (<sluice/snat.h>), and with this
 * before its name there a name that none of these has.
 */
#define RESOURCE_SNAT_IDENTITY "snat:"
#define RESOURCE_PATH_SIZE     (RESOURCE_NAME_SIZE + 40)

/* A prefix, or an interface's address with its prefix length: of an IPv4-mapped address, over 96.
 */
struct resource_prefix {
	struct sl_addr addr;
	uint8_t length;
};

/* Where clients reach a virtual server: ports in host order, one of them or a range. */
struct resource_endpoint {
	struct sl_addr addr;
	uint16_t port;
	uint16_t port_end; /* the last; of one port that port */
	uint8_t proto;     /* IPPROTO_TCP, IPPROTO_UDP */
	bool every_port;   /* all of them, where no other endpoint has one */
};

/* It has one port, and comes before ranges. */
static inline bool resource_endpoint_is_exact(const struct resource_endpoint *e)
{
	return e->port == e->port_end;
}

struct resource {
	RB_ENTRY(resource) node;
	enum resource_kind kind;
	char *name;
	/*
	 * Defaults filled in (scheduler, forwarding mode, weight), output-only fields empty, etag
	 * set but for a BackendPool, whose etag includes its backends (model_pool_etag).
	 */
	ProtobufCMessage *message;
	uint8_t *packed; /* the message without etag */
	size_t packed_len;
	uint64_t hash;     /* of kind, name and packed; the etag in binary */
	uint64_t revision; /* that stored it; 0: none yet */
	char etag[RESOURCE_ETAG_SIZE];
	/* Stable id and generation (snapshot.h) of a virtual server, backend or SNAT policy. */
	uint32_t ref;
	/* The message's fields; ports in network byte order. */
	union {
		struct {
			struct resource_endpoint *endpoint; /* its own first */
			uint32_t n_endpoints;               /* at least 1 */
			uint8_t scheduler;                  /* enum sl_scheduler */
			uint8_t hash_key;                   /* enum sl_hash_key */
			uint8_t quic_id;                    /* bytes of a connection ID */
			bool expire_quiescent;
			uint32_t max_connections;
			uint16_t max_mss;
			uint32_t persistence;          /* seconds; 0: none */
			uint8_t persistence_prefix[2]; /* bits of an address: IPv4's, IPv6's */
		} virtual_server;
		struct {
			struct sl_addr addr;
			uint16_t port;
			uint16_t weight;
			uint8_t mode;   /* enum sl_mode; SL_MODE_MAX: its pool's */
			uint8_t resume; /* per cent of the limit */
			uint32_t max_connections;
			uint16_t tunnel_port;
		} backend;
		struct {
			uint8_t mode;           /* enum sl_mode */
			uint32_t slow_start;    /* seconds */
			uint32_t mh_table_size; /* 0: by the number of backends */
		} backend_pool;
		struct {
			struct sl_addr *addr;
			uint32_t *ref; /* stable id and generation of each */
			size_t n;
		} local;
		struct {
			struct resource_prefix *address;
			size_t n;
		} interface;
		struct {
			struct resource_prefix prefix;
			struct sl_addr gateway; /* zeros: none */
			bool blackhole;
		} route;
		struct {
			char *identity;   /* RESOURCE_SNAT_IDENTITY and its name */
			uint32_t outside; /* reference as a backend */
			uint32_t priority;
			uint32_t max_connections;
			uint8_t proto; /* 0: any */
			struct resource_prefix *source, *destination;
			size_t n_source, n_destination;
		} snat;
		uint32_t timeout[RESOURCE_TIMEOUTS_MAX]; /* seconds by enum sl_conn_state; 0:
							    default */
	};
};

/*
 * Make a resource from a message of the kind's type, whose fields are checked. `pool` is the
 * pool's name for a backend, NULL for others. The message is copied. NULL with *why filled.
 */
struct resource *resource_new(enum resource_kind kind, const char *pool,
			      const ProtobufCMessage *message, struct problem *why);

/* The same from packed bytes, as the store keeps them, and the resource's name. */
struct resource *resource_unpack(enum resource_kind kind, const char *name, const void *packed,
				 size_t len, struct problem *why);

void resource_free(struct resource *resource);

/* Hash of what a resource says: of these add up to the hash of a configuration. */
uint64_t resource_hash(enum resource_kind kind, const char *name, const void *packed, size_t len);

const ProtobufCMessageDescriptor *resource_descriptor(enum resource_kind kind);

/*
 * Path of a resource in an error message: `virtual_servers[web]`,
 * `backend_pools[web].backends[web-1]`. Returns `out`, of RESOURCE_PATH_SIZE.
 */
const char *resource_path(enum resource_kind kind, const char *name, char *out);

/* Write "pool/name" to out, of RESOURCE_NAME_SIZE. Returns out, cut when the names are too long. */
const char *resource_backend_name(const char *pool, const char *name, char *out);

/* Is this backend in that pool? */
bool resource_in_pool(const struct resource *backend, const char *pool);

/* A SNAT policy has sources of this family. */
bool resource_snat_has(const struct resource *policy, bool ipv6);

/* What a message says its name is; "" for one that has none. */
const char *resource_message_name(const ProtobufCMessage *message);

/* What a message says its etag is; "" for one that has none. */
const char *resource_message_etag(const ProtobufCMessage *message);

/* An etag's text. Returns `out`, of RESOURCE_ETAG_SIZE. */
const char *resource_etag_text(uint64_t hash, char *out);

#endif
