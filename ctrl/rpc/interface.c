/* SPDX-License-Identifier: BSD-3-Clause */
/* An interface's addresses are configuration; the rest is its port's state. */
#include <string.h>

#include <sluice/shm.h>

#include "ctrl/rpc/standard.h"
#include "sluice/v1/interface.pb-c.h"

static const char *steering_name(uint8_t steering)
{
	static const char *const names[] = {
		[SL_STEERING_NONE] = "none",
		[SL_STEERING_EBPF] = "ebpf",
		[SL_STEERING_FLOW] = "flow",
		[SL_STEERING_RSS] = "rss",
	};

	return steering < RTE_DIM(names) ? names[steering] : "";
}

/* NULL: a port that the boot configuration doesn't have any more. */
static const struct sl_port *port_of(const struct sl_root *root, const char *name)
{
	for (unsigned int i = 0; i < root->n_ports; i++)
		if (!strcmp(root->port[i].name, name))
			return &root->port[i];
	return NULL;
}

const ProtobufCMessage *interface_view(struct rpc_call *call, const struct resource *interface)
{
	const struct sl_port *port = port_of(rpc_call_ctrl(call)->root, interface->name);
	Sluice__V1__Interface *view = rpc_message(call, &sluice__v1__interface__descriptor);

	if (!view)
		return NULL;
	*view = *(const Sluice__V1__Interface *)interface->message;
	if (!port)
		return &view->base;
	/* As the kernel prints them; DPDK's format is in capitals. */
	view->mac =
		rpc_format(call, "%02x:%02x:%02x:%02x:%02x:%02x", RTE_ETHER_ADDR_BYTES(&port->mac));
	view->mtu = port->mtu;
	view->link_up = port->link_up;
	view->steering = (char *)steering_name(port->steering);
	return view->mac ? &view->base : NULL;
}
