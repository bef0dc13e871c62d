/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared memory: the root region, the snapshot arena and the worker slots. The
 * primary creates all of it at start, from its configuration, in memzones;
 * nobody reserves memory later. Every mapping has the same address in every
 * process, so regions hold pointers to data, never to code.
 * Creation: primary/shm_create.c. Attaching: secondary/shm_attach.c, used by workers and ctrl.
 *
 * Beside each block stands its writer. A word has one writer.
 */
#ifndef SL_SHM_H
#define SL_SHM_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_ether.h>

#include <sluice/conn.h>
#include <sluice/lease.h>
#include <sluice/limits.h>
#include <sluice/pool.h>
#include <sluice/profile.h>
#include <sluice/snapshot.h>
#include <sluice/stats.h>
#include <sluice/template.h>

#define SL_ROOT_MAGIC     UINT64_C(0x534c55494345524f) /* "SLUICERO" */
#define SL_ABI_VERSION    7
#define SL_ROOT_MEMZONE   "sl_root"

#define SL_FRAGMENT_BYTES (UINT64_C(1280) << 10) /* datagrams in fragments, of each worker */

struct rte_ring;
struct rte_mempool;

/* How packets reach their owner on a port. */
enum sl_steering {
	SL_STEERING_NONE, /* any queue; redirect rings do it all */
	SL_STEERING_EBPF, /* tap: program on the tun file */
	SL_STEERING_FLOW, /* rte_flow rules for local addresses, RSS for clients */
	SL_STEERING_RSS,  /* RSS only */
};

/* Writer: primary, before any worker runs; link_up later, too. */
struct sl_port {
	char name[SL_NAME_LEN]; /* the operator's */
	uint16_t port_id;       /* the library's; queue pair w is worker w's */
	uint16_t mtu;           /* bytes of IP packet */
	struct rte_ether_addr mac;
	uint8_t steering; /* enum sl_steering */
	uint8_t link_up;  /* 1: the device said so last */
	uint16_t rx_held; /* buffers that a receive queue may hold between two bursts */
	uint16_t tx_held; /* likewise a transmit queue, after it took them */
};

/*
 * A pool of local ports: one local address, one group of backends, one worker's
 * share of the ports. `fresh` counts ports never used yet; afterwards `ring` is a queue
 * of returned ones, oldest out first, so that a port rests as long as possible.
 * Writer: the worker. After its death the replacement rebuilds from the connections.
 */
struct sl_port_pool {
	struct sl_addr addr; /* the local address it serves; zeros: unused */
	uint32_t fresh;      /* ports handed out for the first time */
	uint32_t head;       /* returned ports taken so far */
	uint32_t tail;       /* returned ports put so far */
	uint32_t shared;     /* 1: a port may be in use beyond this pool: see local_port.h */
};

/* Connections of one worker: the reference (high half) says whose they are. */
static inline uint32_t sl_claims_of(uint64_t word, uint32_t ref)
{
	return (uint32_t)(word >> 32) == ref ? (uint32_t)word : 0;
}

/*
 * One worker's part of a backend's overload mark: it carries the mark while, over all workers, the
 * greatest `began` is greater than the greatest `ended`. See secondary/claims.h.
 */
struct sl_overload {
	uint32_t began; /* episode that this worker began last */
	uint32_t ended; /* likewise ended */
};

/* Slow start of a backend, as a worker saw it begin. */
struct sl_ramp {
	uint32_t ref;   /* whose; another's: it does not take connections, or has not been seen */
	uint32_t since; /* tick */
};

enum sl_worker_state {
	SL_WORKER_DOWN,     /* no process */
	SL_WORKER_STARTING, /* process started, not in its loop yet */
	SL_WORKER_RUNNING,
	SL_WORKER_STOPPING, /* told to end */
	SL_WORKER_STATE_MAX
};

static const char *const sl_worker_state_names[SL_WORKER_STATE_MAX]
	__attribute__((unused)) = {"down", "starting", "running", "stopping"};

/* Everything of one worker; a memzone on the NUMA node of its CPU. */
struct sl_worker_slot {
	/* Writer: primary, at creation. */
	uint32_t id;
	uint32_t cpu;
	uint32_t numa_node;
	uint32_t port_pools;     /* pools: local_addresses x port_pools_per_address */
	uint32_t ports_per_pool; /* local ports in each */
	struct sl_pool *pool;
	struct rte_mempool *mempool;
	struct rte_ring *command; /* struct sl_command; producer ctrl, consumer the worker */
	struct rte_ring *answer;  /* struct sl_answer; producer the worker, consumer ctrl */
	struct rte_ring *redirect[SL_MAX_WORKERS]; /* mbuf pointers; producer worker [i] */
	struct rte_ring
		*neighbour[SL_MAX_WORKERS]; /* struct sl_neighbour_event; producer worker [i] */
	uint32_t *cursor;                   /* per virtual server id: scheduler position */
	struct sl_flow_stats *virtual_server_stats; /* per virtual server id */
	struct sl_flow_stats *backend_stats;        /* per backend id */
	/* Connections open or about to be: read by all workers. Derived, as gauges are. */
	uint64_t *server_claims;        /* per virtual server id: sl_claims_of() */
	uint64_t *backend_claims;       /* per backend id */
	struct sl_overload *overload;   /* per backend id */
	struct sl_ramp *ramp;           /* per backend id */
	struct sl_port_pool *port_pool; /* [port_pools] */
	uint16_t *port_ring;            /* [port_pools][ports_per_pool], host order */
	void *neighbours;               /* secondary/neigh.h; neighbour_bytes of it, zeroed */
	uint64_t neighbour_bytes;
	void *fragments; /* secondary/fragment_table.h; SL_FRAGMENT_BYTES of it, zeroed */

	/* The lease: whoever holds it. */
	struct sl_lease lease __rte_cache_aligned;

	/* Writer: primary (supervisor). */
	struct {
		uint32_t state;             /* enum sl_worker_state */
		int32_t pid;                /* of the process that works, or starts to */
		int32_t standby_pid;        /* of the one that waits for its place; 0 nobody */
		uint32_t starts;            /* processes started since the primary began */
		uint32_t deaths;            /* of these, ended without being asked */
		uint32_t takeovers;         /* times that a standby went on for another process */
		uint64_t started_ns;        /* CLOCK_MONOTONIC of the last start */
		char last_end[SL_NAME_LEN]; /* why the last one ended, for a person */
	} supervisor __rte_cache_aligned;

	/* Writer: the process with lcore id k of the slot, while it waits for the lease. */
	struct {
		uint32_t pid;     /* 0: nobody waits */
		uint64_t beat_ns; /* CLOCK_MONOTONIC, refreshed in each round of the wait */
	} standby[2] __rte_cache_aligned;

	/* Writer: the worker holding the lease. */
	struct {
		uint32_t pid;
		uint32_t incarnation;     /* leases taken so far */
		uint64_t heartbeat_ns;    /* CLOCK_MONOTONIC, refreshed every few milliseconds */
		uint64_t snapshot_in_use; /* generation; 0 none. See sl_arena */
		uint32_t repairs;         /* times the slot was rebuilt after a death */
		uint32_t running;         /* 1 while in its loop */
		uint32_t checkpoint_read; /* 1: what a former primary's worker left is taken up */
		uint32_t neigh_epoch;     /* outlives a process, as the entries do: neigh.h */
		uint32_t conn_intent; /* not 0 while what is derived may differ from the entries */
		uint64_t revision;    /* read from the snapshot in use when it was taken, */
		uint64_t content;     /* to be compared with what the store says */
		uint64_t turned_tsc;  /* end of its last turn; 0: none yet. Outlives a process */
		uint64_t takeover_us; /* from there to the end of the successor's first one */
		uint32_t drained;     /* 1: opens no connections; follows sl_root.drained */
		uint32_t stubs;       /* gauge: entries that are stubs. Derived */
	} worker __rte_cache_aligned;

	/* Writer: ctrl. Until then (CLOCK_MONOTONIC) the worker keeps its profile. */
	uint64_t profile_until_ns __rte_cache_aligned;

	struct sl_conn_table conns __rte_cache_aligned;  /* IPv4 */
	struct sl_conn_table conns6 __rte_cache_aligned; /* IPv6 */
	struct sl_worker_stats stats __rte_cache_aligned;
	struct sl_profile profile __rte_cache_aligned;
};

/* The two halves. Writer of `current` and of the halves: ctrl. */
struct sl_arena {
	uint64_t half_size;                   /* bytes; primary, at creation */
	struct sl_snapshot *half[2];          /* primary, at creation */
	uint64_t current __rte_cache_aligned; /* generation << 1 | half; 0 nothing published */
};

#define SL_CURRENT(generation, half) ((uint64_t)(generation) << 1 | (half))

/* Writer: primary, at creation, except where said. */
struct sl_root {
	uint64_t magic;
	uint32_t abi;
	uint32_t size; /* sizeof(struct sl_root) of the creator */
	char version[SL_NAME_LEN];
	char runtime_dir[128];
	uint64_t boot_ns; /* CLOCK_REALTIME at creation: tells one start from another */
	uint64_t seed;    /* random; hashes of the index and of sl_owner_client */
	int32_t primary_pid;
	uint32_t idle_spin; /* 1: workers never sleep */
	uint32_t n_workers;
	uint32_t n_ports;
	uint32_t max_virtual_servers; /* ids are below */
	uint32_t max_backends;
	uint32_t max_local_addresses;
	uint32_t port_pools_per_address;
	uint32_t max_neighbours; /* per worker */
	uint32_t buffers;        /* per worker */
	struct sl_port port[SL_MAX_PORTS];
	struct sl_worker_slot *worker[SL_MAX_WORKERS];
	struct sl_arena arena;
	struct sl_templates templates; /* of persistence */

	/*
	 * Writer: ctrl. A bit for each worker that is to open no connections (secondary/drain.h).
	 * If ctrl dies it stands as it is, and its successor goes on with it.
	 */
	uint32_t drained __rte_cache_aligned;

	/* Writer: primary. Generation of the snapshot it is reading, 0 when it isn't. */
	uint64_t primary_snapshot_in_use __rte_cache_aligned;
};

/*
 * Find the root as a secondary; exits of the caller are its own business. NULL
 * with a sentence in `why` (size why_len) when there is none, or it is another ABI's; errno is
 * EPROTONOSUPPORT then.
 */
struct sl_root *sl_root_attach(char *why, size_t why_len);

/*
 * Announce in *in_use (the caller's own word) that the current snapshot is used
 * from here on, and return it; NULL when none was published. The former one may be
 * overwritten after this. Wait-free but for a publication in between.
 */
static inline const struct sl_snapshot *sl_snapshot_use(const struct sl_arena *arena,
							uint64_t *in_use)
{
	uint64_t current = __atomic_load_n(&arena->current, __ATOMIC_ACQUIRE);

	for (;;) {
		uint64_t again;

		__atomic_store_n(in_use, current >> 1, __ATOMIC_SEQ_CST);
		again = __atomic_load_n(&arena->current, __ATOMIC_SEQ_CST);
		if (again == current)
			return current ? arena->half[current & 1] : NULL;
		current = again;
	}
}

#endif
