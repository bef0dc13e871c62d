/* SPDX-License-Identifier: BSD-3-Clause */
/* The boot configuration: what it accepts, and the line and reason of what it refuses. */
#include "primary/boot_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/sluice-config-XXXXXX";
static struct boot_config config;
static char why[512];

/* The least that is a configuration; further lines begin at 5. */
#define LEAST                                           \
	"ports:\n"                                      \
	"  - {name: wan, device: 'net_tap0,iface=w'}\n" \
	"workers:\n"                                    \
	"  - {cpu: 0}\n"

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 || close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static int load_bytes(const char *text, size_t len)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	why[0] = '\0';
	return boot_config_load(path, &config, why, sizeof(why));
}

static void accept(const char *text)
{
	int rc = load_bytes(text, strlen(text));

	if (rc)
		fail_msg("refused: %s", why);
}

/* Refused at `line`, with a reason that says `reason`. */
static void refuse(const char *text, unsigned int line, const char *reason)
{
	char where[sizeof(path) + 16];

	if (!load_bytes(text, strlen(text)))
		fail_msg("accepted, though: %s", reason);
	snprintf(where, sizeof(where), "%s:%u: ", path, line);
	if (strncmp(why, where, strlen(where)) || !strstr(why, reason))
		fail_msg("'%s' is not '%s...%s'", why, where, reason);
}

static void defaults(void **state)
{
	(void)state;
	accept(LEAST);
	assert_string_equal(config.instance, "sluice");
	assert_string_equal(config.runtime_dir, "/run/sluice");
	assert_string_equal(config.hugepages.directory, "/dev/hugepages");
	assert_int_equal(config.n_ports, 1);
	assert_string_equal(config.port[0].name, "wan");
	assert_string_equal(config.port[0].device, "net_tap0,iface=w");
	assert_int_equal(config.port[0].mtu, 1500);
	assert_int_equal(config.port[0].descriptors, 512);
	assert_true(config.port[0].steer);
	assert_true(config.port[0].tap);
	assert_false(config.port[0].pci);
	assert_int_equal(config.n_workers, 1);
	assert_int_equal(config.worker[0].cpu, 0);
	assert_false(config.idle_spin);
	assert_true(config.standby);
	assert_int_equal(config.watchdog, 500);
	assert_int_equal(config.limits.connections, 131072);
	assert_int_equal(config.limits.connections_ipv6, 32768);
	assert_int_equal(config.limits.buffers, 8192);
	assert_int_equal(config.limits.neighbours, 1024);
	assert_int_equal(config.limits.virtual_servers, 1024);
	assert_int_equal(config.limits.backends, 4096);
	assert_int_equal(config.limits.local_addresses, 16);
	assert_int_equal(config.limits.port_pools_per_address, 4);
	assert_int_equal(config.limits.snapshot, 4 << 20);
}

static void every_key(void **state)
{
	(void)state;
	accept("instance: a-b_c.1\n"
	       "runtime-directory: /run/x\n"
	       "hugepages: {directory: /mnt/huge}\n"
	       "ports:\n"
	       "  - name: wan\n"
	       "    device: 0000:03:00.1\n"
	       "    mtu: 9000\n"
	       "    queue-descriptors: 64\n"
	       "    steering: none\n"
	       "workers:\n"
	       "  - cpu: 0\n"
	       "  - cpu: 0\n"
	       "idle: spin\n"
	       "standby: no\n"
	       "watchdog: 60s\n"
	       "limits:\n"
	       "  connections: 1024\n"
	       "  connections-ipv6: 2048\n"
	       "  buffers: 1024\n"
	       "  neighbours: 16\n"
	       "  virtual-servers: 1\n"
	       "  backends: 1\n"
	       "  local-addresses: 1\n"
	       "  port-pools-per-address: 1\n"
	       "  snapshot: 64KiB\n");
	assert_string_equal(config.instance, "a-b_c.1");
	assert_string_equal(config.runtime_dir, "/run/x");
	assert_string_equal(config.hugepages.directory, "/mnt/huge");
	assert_true(config.port[0].pci);
	assert_false(config.port[0].tap);
	assert_int_equal(config.port[0].mtu, 9000);
	assert_int_equal(config.port[0].descriptors, 64);
	assert_false(config.port[0].steer);
	assert_int_equal(config.n_workers, 2);
	assert_true(config.idle_spin);
	assert_false(config.standby);
	assert_int_equal(config.watchdog, 60000);
	assert_int_equal(config.limits.connections, 1024);
	assert_int_equal(config.limits.connections_ipv6, 2048);
	assert_int_equal(config.limits.snapshot, 64 << 10);
}

static void the_sample(void **state)
{
	(void)state;
	if (boot_config_load("conf/sluice.yaml", &config, why, sizeof(why)) &&
	    !strstr(why, "is not there")) /* a machine with one CPU */
		fail_msg("conf/sluice.yaml: %s", why);
}

static void keys(void **state)
{
	(void)state;
	refuse(LEAST "colour: red\n", 5, "unknown key 'colour'; there are instance, ");
	refuse(LEAST "limits:\n  connection: 9\n", 6, "unknown key 'connection'");
	refuse(LEAST "idle: spin\nidle: spin\n", 6, "key 'idle' stands there twice");
	refuse(LEAST "[a, b]: c\n", 5, "a key must be a word");
	refuse("workers:\n  - {cpu: 0}\n", 1, "key 'ports' is missing");
	refuse("ports:\n  - name: wan\nworkers:\n  - {cpu: 0}\n", 2, "key 'device' is missing");
}

static void types(void **state)
{
	(void)state;
	refuse("- a\n", 1, "must be a map");
	refuse("ports: 3\nworkers:\n  - {cpu: 0}\n", 1, "must be a list");
	refuse("ports:\n  - wan\nworkers:\n  - {cpu: 0}\n", 2, "must be a map");
	refuse(LEAST "instance: [a]\n", 5, "must be a single value");
	refuse(LEAST "limits: 5\n", 5, "must be a map");
	refuse("ports: []\nworkers:\n  - {cpu: 0}\n", 1, "has 0 entries, must have 1 to 8");
	refuse(LEAST "hugepages: {directory: \"/a\\0b\"}\n", 5, "must be a single value");
}

static void numbers(void **state)
{
	static const char *const bad[] = {"1023",  "16777217", "-1",    "0x800",
					  "1e5",   "2048.5",   "",      "4KiB",
					  "2_048", "all",      "+2048", "18446744073709553664",
					  "'2048'"};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), LEAST "limits:\n  connections: %s\n", bad[i]);
		refuse(text, 6, "is not a whole number from 1024 to 16777216");
	}
}

static void powers_of_two(void **state)
{
	(void)state;
	refuse("ports:\n  - name: wan\n    device: net_null0\n    queue-descriptors: 500\n", 4,
	       "'500' is not a power of two from 64 to 4096");
	refuse("ports:\n  - name: wan\n    device: net_null0\n    queue-descriptors: 8192\n", 4,
	       "'8192' is not a power of two from 64 to 4096");
}

static void sizes(void **state)
{
	(void)state;
	accept(LEAST "limits: {snapshot: 1GiB}\n");
	assert_int_equal(config.limits.snapshot, 1 << 30);
	refuse(LEAST "limits:\n  snapshot: 4194304\n", 6, "needs a unit: KiB, MiB or GiB");
	refuse(LEAST "limits:\n  snapshot: 4MB\n", 6, "needs a unit: KiB, MiB or GiB");
	refuse(LEAST "limits:\n  snapshot: 63KiB\n", 6, "is not between 64KiB and 1048576KiB");
	refuse(LEAST "limits:\n  snapshot: 2GiB\n", 6, "is not between");
	refuse(LEAST "limits:\n  snapshot: 17179869185GiB\n", 6, "is not a size");
	refuse(LEAST "limits:\n  snapshot: MiB\n", 6, "is not a size");
}

static void words(void **state)
{
	(void)state;
	refuse(LEAST "idle: lazy\n", 5, "'lazy' is neither 'adaptive' nor 'spin'");
	refuse("ports:\n  - name: wan\n    device: net_null0\n    steering: rss\n", 4,
	       "'rss' is neither 'none' nor 'auto'");
}

static void strings(void **state)
{
	char text[512], name[SL_NAME_LEN + 1];

	(void)state;
	refuse(LEAST "instance: a/b\n", 5, "is not a name");
	refuse(LEAST "instance: ''\n", 5, "is not a name");
	refuse(LEAST "instance: ../x\n", 5, "is not a name");
	refuse(LEAST "runtime-directory: run\n", 5, "is not an absolute path");
	refuse(LEAST "runtime-directory: /a b\n", 5, "is not an absolute path");
	refuse("ports:\n  - {name: wan, device: ''}\n", 2, "is empty or has spaces");
	memset(name, 'a', SL_NAME_LEN);
	name[SL_NAME_LEN] = '\0';
	snprintf(text, sizeof(text), LEAST "instance: %s\n", name);
	refuse(text, 5, "longer than 63 characters");
	snprintf(text, sizeof(text), LEAST "instance: %s\n", name + 20);
	accept(text);
	snprintf(text, sizeof(text),
		 LEAST "instance: %s\nruntime-directory: /run/123456789/12345678\n", name + 20);
	refuse(text, 1, "runtime-directory and instance: 67 characters together, at most 64");
}

static void relations(void **state)
{
	(void)state;
	refuse("ports:\n  - {name: a, device: net_null0}\n  - {name: a, device: net_null1}\n"
	       "workers:\n  - {cpu: 0}\n",
	       3, "line 2 has that name already");
	refuse("ports:\n  - {name: a, device: net_null0}\n  - {name: b, device: 'net_null0,x=1'}\n"
	       "workers:\n  - {cpu: 0}\n",
	       3, "port a has the device net_null0");
	refuse("ports:\n  - {name: a, device: net_tap0}\nworkers: [{cpu: 0}, {cpu: 0}, {cpu: 0}, "
	       "{cpu: 0}, {cpu: 0}]\n",
	       2, "a tap serves 4 workers, there are 5");
	refuse("ports:\n  - {name: a, device: net_null0}\nworkers:\n  - {cpu: 0}\n  - {cpu: "
	       "1023}\n",
	       5, "CPU 1023 is not there");
	refuse("ports:\n  - {name: a, device: net_null0, queue-descriptors: 4096}\n"
	       "workers:\n  - {cpu: 0}\nlimits:\n  buffers: 8192\n",
	       6, "buffers: 8192 are too few");
}

static void not_yaml(void **state)
{
	(void)state;
	refuse("", 1, "the file is empty");
	refuse("# nothing\n", 1, "the file is empty");
	refuse("ports: [\n", 2, "not YAML");
	refuse(LEAST "idle: \"spin\n", 6, "not YAML");
	refuse(LEAST "---\na: b\n", 5, "a second document begins");
	refuse("a: &x [*x]\n", 1, "unknown key 'a'");
	assert_true(boot_config_load("/nonexistent.yaml", &config, why, sizeof(why)) < 0);
	assert_non_null(strstr(why, "/nonexistent.yaml: No such file"));
}

static void huge_file(void **state)
{
	size_t len = (1 << 20) + 1;
	char *text = malloc(len);

	(void)state;
	assert_non_null(text);
	memset(text, '#', len);
	assert_true(load_bytes(text, len) < 0);
	assert_non_null(strstr(why, "larger than 1 MiB"));
	free(text);
}

/* Whatever bytes a good file is damaged with: an answer, and no crash. */
static void damaged(void **state)
{
	static const char good[] = LEAST "limits:\n  snapshot: 4MiB\n";
	unsigned int refused = 0, seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		char text[sizeof(good)];

		memcpy(text, good, sizeof(good));
		for (int k = 0; k < 3; k++)
			text[rand_r(&seed) % (sizeof(good) - 1)] = rand_r(&seed);
		if (load_bytes(text, sizeof(good) - 1)) {
			refused++;
			assert_int_equal(strncmp(why, path, strlen(path)), 0);
		}
	}
	assert_true(refused > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),      cmocka_unit_test(every_key),
		cmocka_unit_test(the_sample),    cmocka_unit_test(keys),
		cmocka_unit_test(types),         cmocka_unit_test(numbers),
		cmocka_unit_test(powers_of_two), cmocka_unit_test(sizes),
		cmocka_unit_test(words),         cmocka_unit_test(strings),
		cmocka_unit_test(relations),     cmocka_unit_test(not_yaml),
		cmocka_unit_test(huge_file),     cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests_name("primary_config", tests, make_file, remove_file);
}
