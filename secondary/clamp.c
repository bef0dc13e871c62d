/* SPDX-License-Identifier: BSD-3-Clause */
#include "secondary/clamp.h"

#include <rte_byteorder.h>
#include <rte_tcp.h>

#include <sluice/csum.h>

#define OPTION_END     0 /* RFC 9293 section 3.2 */
#define OPTION_NOP     1
#define OPTION_MSS     2
#define OPTION_MSS_LEN 4

/* The MSS option in the `len` bytes of options; NULL when there is none, or they are damaged. */
static uint8_t *find_mss(uint8_t *option, uint32_t len)
{
	uint32_t i = 0;

	while (i < len && option[i] != OPTION_END) {
		if (option[i] == OPTION_NOP) {
			i++;
			continue;
		}
		if (i + 1 >= len || option[i + 1] < 2 || option[i + 1] > len - i)
			return NULL;
		if (option[i] == OPTION_MSS)
			return option[i + 1] == OPTION_MSS_LEN ? &option[i] : NULL;
		i += option[i + 1];
	}
	return NULL;
}

void clamp_mss(struct rte_tcp_hdr *tcp, uint16_t max)
{
	uint8_t *options = (uint8_t *)(tcp + 1);
	uint32_t len = (uint32_t)(tcp->data_off >> 4) * 4 - (uint32_t)sizeof(*tcp);
	uint8_t *mss = find_mss(options, len);
	uint16_t from, delta;

	if (!mss)
		return;
	from = (uint16_t)(mss[2] << 8 | mss[3]);
	if (from <= max)
		return;
	mss[2] = (uint8_t)(max >> 8);
	mss[3] = (uint8_t)max;
	delta = sl_csum_fold(sl_csum_delta16(rte_cpu_to_be_16(from), rte_cpu_to_be_16(max)));
	if ((mss - options) & 1) /* it lies across two words of the sum, RFC 1071 section 2 (B) */
		delta = rte_bswap16(delta);
	tcp->cksum = sl_csum_apply(tcp->cksum, delta);
}
