/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets arrive anywhere; the redirect rings do it all. */
#include "primary/steering.h"

static int none_attach(struct steering *s)
{
	(void)s;
	return 0;
}

static int none_refresh(struct steering *s, const struct steering_addresses *own)
{
	(void)s;
	(void)own;
	return 0;
}

static void none_detach(struct steering *s)
{
	(void)s;
}

const struct steering_ops steering_none = {
	.kind = SL_STEERING_NONE,
	.name = "none",
	.attach = none_attach,
	.refresh = none_refresh,
	.detach = none_detach,
};
