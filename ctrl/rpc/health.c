/* SPDX-License-Identifier: BSD-3-Clause */
/* grpc.health.v1. What answers here serves, as does each of its services. */
#include "ctrl/rpc/call.h"
#include "ctrl/rpc/services.h"
#include "grpc/health/v1/health.pb-c.h"

static Grpc__Health__V1__HealthCheckResponse *view(struct rpc_call *call, bool known)
{
	Grpc__Health__V1__HealthCheckResponse *m =
		rpc_message(call, &grpc__health__v1__health_check_response__descriptor);

	if (m)
		m->status =
			known ? GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
			      : GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN;
	return m;
}

static bool is_known(const struct rpc_call *call)
{
	const Grpc__Health__V1__HealthCheckRequest *request = (const void *)rpc_call_request(call);

	return !*request->service || rpc_service_exists(request->service);
}

void health_check(struct rpc_call *call)
{
	if (is_known(call))
		rpc_reply(call, view(call, true));
	else
		rpc_fail(call, PROBLEM_NOT_FOUND, "service: there is no such service");
}

static void gone(struct rpc_call *call, void *arg)
{
	(void)call;
	(void)arg;
}

/* It changes when the daemon ends, and the stream with it. */
void health_watch(struct rpc_call *call)
{
	static const struct rpc_stream stream = {.gone = gone};

	if (rpc_send(call, view(call, is_known(call))))
		rpc_stream_start(call, &stream);
}
