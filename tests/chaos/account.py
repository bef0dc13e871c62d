# SPDX-License-Identifier: BSD-3-Clause
"""What the events did, summed up by name: chaos.json."""

import json

NAMES = ("graceful", "kill", "kill_cold", "hang", "ctrl_kill", "full_restart")


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median(looks, what):
    return percentile([k[what] for k in looks], 0.5)


def pauses(found):
    return {"p50": percentile(found, 0.5), "p99": percentile(found, 0.99), "max": max(found)}


def takeovers(looks):
    """For how long nobody worked in a slot, by the appliance's own word: its share of the pauses."""
    return [us for k in looks for us in k.get("takeover_us", ())]


class Account:
    def __init__(self):
        self.looks = {}  # name -> what the generator said of each event
        self.kinds = {}  # what a person reads: kind -> the same
        self.buffers = {}

    def add(self, name, kind, look):
        """`name` None: it is only told."""
        if name:
            self.looks.setdefault(name, []).append(look)
        self.kinds.setdefault(kind, []).append(look)

    def events(self):
        for name in NAMES:
            looks = self.looks.get(name)
            if not looks:
                continue
            event = {"name": name, "count": sum(k["events"] for k in looks),
                   "packets_sent": sum(k["sent"] for k in looks),
                   "packets_lost": sum(k["lost"] for k in looks),
                   "connections": max(k["connections"] for k in looks),
                   "connections_lost": sum(k["connections_lost"] for k in looks),
                   "pause_us": pauses([k["pause_us"] for k in looks])}
            for beside in ("machine_us", "sender_us"):
                event[beside] = pauses([k[beside] for k in looks])
            if takeovers(looks):
                event["takeover_us"] = pauses(takeovers(looks))
            yield event

    def write(self, path):
        with open(path, "w", encoding="ascii") as file:
            json.dump({"events": list(self.events()), "buffers": self.buffers}, file, indent=1)
            file.write("\n")

    def table(self):
        """A line for each kind of event: pauses, our own share of them, and beside it what the machine
        let a process wait that asked for the CPU, and the sender."""
        yield (f"{'event':30} {'times':>6} {'sent':>10} {'lost':>8} {'worst':>7} {'broken':>6}"
               f" {'p50 us':>8} {'p99 us':>8} {'max us':>8} {'own p50':>8} {'own p99':>8}"
               f" {'machine':>8} {'sender':>8}")
        for kind, looks in self.kinds.items():
            p = pauses([k["pause_us"] for k in looks])
            own = pauses(takeovers(looks) or [0])
            yield (f"{kind:30} {sum(k['events'] for k in looks):6}"
                   f" {sum(k['sent'] for k in looks):10} {sum(k['lost'] for k in looks):8}"
                   f" {max(k['lost'] for k in looks):7}"
                   f" {sum(k['connections_lost'] for k in looks):6}"
                   f" {p['p50']:8} {p['p99']:8} {p['max']:8} {own['p50']:8} {own['p99']:8}"
                   f" {median(looks, 'machine_us'):8} {median(looks, 'sender_us'):8}")
