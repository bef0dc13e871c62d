/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the hashing schedulers hash. No seed goes into it, so that appliances that share clients
 * (anycast, ECMP) choose alike; whoever picks addresses to meet at one backend can do that
 * with any consistent hashing that is to outlive a balancer.
 */
#include "secondary/choose.h"

#include <string.h>

#define LONG_HEADER    0x80 /* RFC 9000 section 17.2 */
#define LONG_ID_LENGTH 5    /* the byte behind flags and version */

/* splitmix64's finalizer (Steele et al., OOPSLA 2014). */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static uint64_t hash_source(const struct sl_addr *a, uint16_t port)
{
	uint64_t x = mix(((uint64_t)a->w[0] << 32 | a->w[1]) + UINT64_C(0x9e3779b97f4a7c15));

	return mix(mix(x ^ ((uint64_t)a->w[2] << 32 | a->w[3])) ^ port);
}

static uint64_t hash_bytes(const uint8_t *bytes, uint32_t len)
{
	uint64_t x = len;

	while (len) {
		uint64_t word = 0;
		uint32_t n = len < sizeof(word) ? len : sizeof(word);

		memcpy(&word, bytes, n);
		x = mix(x ^ word) + UINT64_C(0x9e3779b97f4a7c15);
		bytes += n;
		len -= n;
	}
	return mix(x);
}

/* The destination connection ID's first `want` bytes, fewer if it is shorter; 0: there is none. */
static uint32_t quic_id(const struct choose_packet *p, uint32_t want, const uint8_t **id)
{
	uint32_t head = 1, len = want;

	if (!p->payload_len)
		return 0;
	if (p->payload[0] & LONG_HEADER) {
		if (p->payload_len <= LONG_ID_LENGTH)
			return 0;
		head = LONG_ID_LENGTH + 1;
		len = p->payload[LONG_ID_LENGTH];
	}
	if (head + len > p->payload_len)
		return 0;
	*id = p->payload + head;
	return len < want ? len : want;
}

uint64_t choose_hash(const struct sl_virtual_server *vs, const struct choose_packet *p)
{
	const uint8_t *id;
	uint32_t len;

	switch (vs->hash_key) {
	case SL_HASH_KEY_NONE: return 0;
	case SL_HASH_KEY_SOURCE_IP: return hash_source(&p->client, 0);
	case SL_HASH_KEY_QUIC_CONNECTION_ID:
		len = quic_id(p, vs->quic_id, &id);
		if (len)
			return hash_bytes(id, len);
		break;
	default: break;
	}
	return hash_source(&p->client, p->client_port);
}
