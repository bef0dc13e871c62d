/* SPDX-License-Identifier: BSD-3-Clause */
#include <sluice/log.h>

#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include <sluice/limits.h>

bool sl_log_set_level(const char *text)
{
	static const char *const levels[] = {
		[RTE_LOG_ERR] = "error", [RTE_LOG_WARNING] = "warning", [RTE_LOG_NOTICE] = "notice",
		[RTE_LOG_INFO] = "info", [RTE_LOG_DEBUG] = "debug",
	};
	const char *colon = strrchr(text, ':');
	char type[SL_NAME_LEN];

	if (!colon || (size_t)(colon - text) >= sizeof(type))
		return false;
	snprintf(type, sizeof(type), "%.*s", (int)(colon - text), text);
	for (size_t i = 0; i < RTE_DIM(levels); i++)
		if (levels[i] && !strcmp(levels[i], colon + 1))
			return rte_log_set_level_pattern(type, i) == 0;
	return false;
}
