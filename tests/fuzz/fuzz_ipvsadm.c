/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Command lines of ipvsadm, one a line, as `sluicectl ipvsadm -R` reads them. They work on a small
 * configuration as the client has it; what they made of it, all of it together, the daemon takes
 * or refuses with a reason. A service that was added is there, one that was deleted is not.
 */
#include <arpa/inet.h>
#include <netdb.h>

#include <jansson.h>

#include "ctrl/client/ipvsadm/ipvsadm.h"
#include "tests/fuzz/lib/fuzz.h"
#include "tests/unit/lib/ctrl_bed.h"

#define WORDS_MAX 64
#define LINES_MAX 32

static const char before[] =
	"{\"interfaces\":[{\"name\":\"wan\",\"addresses\":[\"192.0.2.1/24\"]},"
	"{\"name\":\"lan\",\"addresses\":[\"198.51.100.1/24\",\"2001:db8:2::1/64\"]}],"
	"\"localAddressPools\":[{\"name\":\"default\",\"addresses\":[\"198.51.100.10\"]}],"
	"\"backendPools\":[{\"name\":\"web\",\"backends\":[{\"name\":\"a\",\"address\":"
	"\"198.51.100.101\",\"port\":80,\"maxConnections\":9,\"resumePercent\":50}]}],"
	"\"virtualServers\":[{\"name\":\"web\",\"address\":\"192.0.2.80\",\"port\":80,\"protocol\":"
	"\"PROTOCOL_TCP\",\"backendPool\":\"web\",\"localAddressPool\":\"default\"}]}";

static struct sl_root *root;

/* Names are not looked up: this asks nobody on a network. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
		struct addrinfo **found)
{
	struct {
		struct addrinfo info;
		struct sockaddr_storage address;
	} *one = calloc(1, sizeof(*one));
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&one->address;
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)&one->address;
	bool is_ipv4 = hints->ai_family == AF_INET;

	(void)service;
	one->address.ss_family = (sa_family_t)hints->ai_family;
	one->info.ai_addr = (struct sockaddr *)&one->address;
	one->info.ai_addrlen = is_ipv4 ? sizeof(*ipv4) : sizeof(*ipv6);
	if (inet_pton(hints->ai_family, host,
		      is_ipv4 ? (void *)&ipv4->sin_addr : (void *)&ipv6->sin6_addr) != 1) {
		free(one);
		return EAI_NONAME;
	}
	*found = &one->info;
	return 0;
}

void freeaddrinfo(struct addrinfo *found)
{
	free(found);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	root = bed_root_new();
	stdout = stderr = fopen("/dev/null", "w"); /* complaints; a sanitizer's go past these */
	FUZZ_CHECK(stderr, "/dev/null");
	return 0;
}

static int split(char *line, char **words)
{
	char *rest, *word;
	int n = 1;

	words[0] = "ipvsadm";
	for (word = strtok_r(line, " \t", &rest); word && n < WORDS_MAX;
	     word = strtok_r(NULL, " \t", &rest))
		words[n++] = word;
	words[n] = NULL;
	return n;
}

static bool is_exit_code(int code)
{
	return code == IPVS_OK || code == IPVS_NOT_THERE || code == IPVS_USAGE ||
	       code == IPVS_REFUSED;
}

static void check_effect(json_t *config, const struct ipvs_request *request)
{
	const json_t *service = ipvs_find_service(config, &request->service);

	if (request->command == IPVS_ADD_SERVICE)
		FUZZ_CHECK(service, "it was added");
	else if (request->command == IPVS_DELETE_SERVICE)
		FUZZ_CHECK(!service, "it was deleted");
	else if (request->command == IPVS_FLUSH)
		FUZZ_CHECK(!json_array_size(ipvs_list_of(config, "virtualServers")), "flushed");
}

/* False: the whole comes to nothing, as with -R. */
static bool run_line(json_t *config, char *line)
{
	char *words[WORDS_MAX + 1];
	int n = split(line, words), result;
	struct ipvs_request request;

	if (n == 1)
		return true;
	result = ipvs_parse(n, words, &request);
	FUZZ_CHECK(is_exit_code(result), "exit code %d", result);
	FUZZ_CHECK(result || request.command < IPVS_COMMANDS, "command %d", request.command);
	if (result || request.command == IPVS_LIST || request.command >= IPVS_LIST_LADDR ||
	    request.command == IPVS_SAVE || request.command == IPVS_RESTORE ||
	    request.command == IPVS_ZERO || request.command == IPVS_START_DAEMON ||
	    request.command == IPVS_STOP_DAEMON)
		return false;
	result = ipvs_change(config, &request);
	FUZZ_CHECK(is_exit_code(result), "exit code %d", result);
	if (result == IPVS_OK)
		check_effect(config, &request);
	return result == IPVS_OK;
}

static void give_to_daemon(const json_t *config)
{
	struct model *model = model_new(root);
	char *text = json_dumps(config, JSON_COMPACT);
	struct problem why = {.code = PROBLEM_NONE};

	FUZZ_CHECK(model && text, "memory");
	if (bed_config(model, text, NULL, &why) != PROBLEM_NONE)
		FUZZ_CHECK(*why.text, "refused without a reason");
	bed_json_free();
	free(text);
	model_free(model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = strndup((const char *)data, len), *rest, *line;
	json_t *config = json_loads(before, 0, NULL);
	bool good = true;

	FUZZ_CHECK(config && text, "memory");
	line = strtok_r(text, "\n", &rest);
	for (int i = 0; good && line && i < LINES_MAX; i++, line = strtok_r(NULL, "\n", &rest))
		good = run_line(config, line);
	if (good)
		give_to_daemon(config);
	json_decref(config);
	free(text);
	return 0;
}
