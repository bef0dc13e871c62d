/* SPDX-License-Identifier: BSD-3-Clause */
#define ALLOW_EXPERIMENTAL_API /* rte_atomic128_cmp_exchange: an instruction, no symbol */

#include "secondary/template.h"

#include <rte_atomic.h>

/* 16 bytes at once, or not at all. */
static bool swap(struct sl_template *at, const struct sl_template *was,
		 const struct sl_template *next)
{
	struct sl_template expected = *was;

	return rte_atomic128_cmp_exchange((rte_int128_t *)at, (rte_int128_t *)&expected,
					  (const rte_int128_t *)next, 0, __ATOMIC_SEQ_CST,
					  __ATOMIC_SEQ_CST);
}

static struct sl_template load(const struct sl_template *at)
{
	const uint64_t *word = (const uint64_t *)at;
	uint64_t key = __atomic_load_n(&word[0], __ATOMIC_SEQ_CST);
	uint64_t rest = __atomic_load_n(&word[1], __ATOMIC_SEQ_CST);

	return (struct sl_template){key, (uint32_t)rest, (uint32_t)(rest >> 32)};
}

/* The lower, the sooner is it given to another client: empty, expired, by time. */
static uint32_t worth(const struct sl_template *t, uint32_t now)
{
	return !t->key ? 0 : t->expires <= now ? 1 : t->expires;
}

void template_look(const struct sl_templates *t, uint64_t key, uint32_t now,
		   struct template_look *look)
{
	struct sl_template_bucket *b = sl_template_bucket(t, key);
	uint32_t least = UINT32_MAX;

	look->found = false;
	look->now = now;
	for (unsigned int i = 0; i < SL_TEMPLATES_IN_BUCKET; i++) {
		struct sl_template one = load(&b->template[i]);

		if (one.key == key) {
			*look = (struct template_look){&b->template[i], one, now,
						       one.expires > now};
			return;
		}
		if (!i || worth(&one, now) < least) {
			least = worth(&one, now);
			look->at = &b->template[i];
			look->was = one;
		}
	}
}

static bool has_twin(const struct sl_templates *t, const struct template_look *look, uint64_t key)
{
	const struct sl_template_bucket *b = sl_template_bucket(t, key);

	for (unsigned int i = 0; i < SL_TEMPLATES_IN_BUCKET; i++) {
		struct sl_template one = load(&b->template[i]);

		if (&b->template[i] != look->at && one.key == key && one.expires > look->now)
			return true;
	}
	return false;
}

enum template_result template_put(const struct sl_templates *t, const struct template_look *look,
				  const struct sl_template *next, bool last)
{
	static const struct sl_template none;

	if (!swap(look->at, &look->was, next))
		return last ? TEMPLATE_PUT : TEMPLATE_LOST;
	if (last || !has_twin(t, look, next->key))
		return TEMPLATE_PUT;
	/* What others may have acted upon stays. */
	if (look->was.key != next->key)
		swap(look->at, next, &none);
	return TEMPLATE_LOST;
}

void template_extend(const struct sl_templates *t, uint64_t key, uint32_t backend, uint32_t expires)
{
	struct template_look look;
	struct sl_template next = {key, backend, expires};

	template_look(t, key, 0, &look);
	if (look.was.key == key && look.was.backend == backend && look.was.expires < expires)
		swap(look.at, &look.was, &next); /* else another has just written it */
}
