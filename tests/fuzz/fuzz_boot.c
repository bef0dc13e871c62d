/* SPDX-License-Identifier: BSD-3-Clause */
/* The boot configuration: what is taken is within its bounds, what is refused names its line. */
#include "tests/fuzz/lib/fuzz.h"

#include "primary/boot_config.h"

static void check_text(const char *text, size_t size, const char *what)
{
	size_t len = strnlen(text, size);

	FUZZ_CHECK(len && len < size, "%s of %zu characters", what, len);
}

static void check_config(const struct boot_config *c)
{
	check_text(c->instance, sizeof(c->instance), "instance");
	check_text(c->runtime_dir, sizeof(c->runtime_dir), "directory");
	FUZZ_CHECK(c->n_ports >= 1 && c->n_ports <= SL_MAX_PORTS, "%u ports", c->n_ports);
	FUZZ_CHECK(c->n_workers >= 1 && c->n_workers <= SL_MAX_WORKERS, "%u workers", c->n_workers);
	for (unsigned int i = 0; i < c->n_ports; i++) {
		check_text(c->port[i].name, sizeof(c->port[i].name), "name");
		check_text(c->port[i].device, sizeof(c->port[i].device), "device");
		FUZZ_CHECK(c->port[i].mtu >= 576 && c->port[i].mtu <= 9000, "MTU");
	}
	FUZZ_CHECK(c->limits.connections >= 1024, "%u connections", c->limits.connections);
}

/* The library's scanner loses a few bytes over some errors. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libyaml";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct boot_config config;
	char why[512] = "";

	fuzz_file_set(0, data, len);
	if (!boot_config_load(fuzz_file(0), &config, why, sizeof(why)))
		check_config(&config);
	else
		FUZZ_CHECK(!strncmp(why, fuzz_file(0), strlen(fuzz_file(0))),
			   "refused without a place: %s", why);
	return 0;
}
