# SPDX-License-Identifier: BSD-3-Clause
"""What is measured packet by packet: the cases, and their figures from the workers' results.

A run starts the appliance, measures, ends it. Runs of different cases alternate, so that a bad
minute of the machine does not fall on one case alone; a figure is the median of its runs.
"""

import contextlib
from statistics import median

from bed import LIMITS, Appliance, BenchError, config_of

FLOWS = (1, 1000, 10000, 100000, 1000000)

# Packets of a connection's whole life as the generator plays it, and lives to measure.
# UDP: a request, its answer. TCP: SYN, SYN+ACK, request, answer, FIN, FIN, ACK.
NEW = {"udp": (2, 2000000), "tcp": (7, 2000000)}

SLOWER = 1.15   # a run's reference over this times the fastest: the machine was slow
MIN_SLICES = 8  # of the worker's; fewer, and the machine was too busy to tell
TRIES = 4       # of such a run
SETTLE_S = 30   # over what a run should take


class TooBusy(BenchError):
    """The machine was never at full speed for long enough."""


class Case:
    """One line of the table. `task` is the generator's (hook.c), `config` what config_of() is
    asked for, `against` the name of the case that it is compared with at as many flows."""

    def __init__(self, name, flows=None, workers=1, alone=True, lives=None, config=None,
                 against=None, **task):
        self.name = name
        self.config = config or {}
        self.against = against
        self.flows = flows
        self.workers = workers
        self.alone = alone  # False: another appliance is as busy on the other CPU
        self.task = {"load": "new" if lives else "steady", "flows": flows or lives, **task}
        self.runs = []
        self.problems = []

    def title(self):
        return " ".join(filter(None, (self.name, str(self.flows or ""),
                                      f"{self.workers} workers" if self.workers > 1 else "",
                                      self.note())))

    def note(self):
        """What makes this another case than the one of the same name, flows and workers."""
        if not self.alone:
            return "busy neighbour"
        return "bed of two" if "owners" in self.task and self.workers == 1 else ""

    def run(self, path, ms):
        """Measure once more, again at once while the machine is too busy to tell. What went wrong
        is kept: such a run gives no figure."""
        for left in reversed(range(TRIES)):
            try:
                self.runs.append(self.measure(path, ms))
            except BenchError as error:
                if isinstance(error, TooBusy) and left:
                    continue
                self.problems.append(str(error))
            return

    def measure(self, path, ms):
        limits = {"connections": 262144} if self.workers > 1 else {}
        if self.task.get("clients") == 6:
            limits["connections-ipv6"] = LIMITS["connections"]  # an index as sparse as IPv4's
        task = {**self.task, "ms": ms}
        with contextlib.ExitStack() as stack:
            if not self.alone:
                stack.enter_context(busy_neighbour(f"{path}/other", task))
            appliance = stack.enter_context(Appliance(f"{path}/run", task, self.workers,
                                                      limits=limits))
            appliance.apply(config_of(**self.config))
            results = appliance.results(SETTLE_S + ms / 1000)
        for result in results:
            if result["drops"]:
                raise BenchError(f"{result['drops']} packets were dropped")
            if result["slices"] < MIN_SLICES and "rate" not in task:
                raise TooBusy(f"only {result['slices']} of {result['slices_all']} slices had "
                              "neighbours at full speed")
        return results

    def bed(self):
        """Cases with the same have the same reference, for the generator has the same to do."""
        return (self.task["load"], self.task["proto"], self.task.get("arms"),
                self.task.get("order"), self.task.get("oneway"),
                self.task.get("clients"), max(self.workers, self.task.get("owners", 1)))

    def good_runs(self, fastest):
        """Those whose reference was near the fastest over the same bed: within a run slices are
        judged by their neighbours (slices.c), but the machine may be slow for all of it."""
        limit = SLOWER * fastest.get(self.bed(), 0)
        return [run for run in self.runs if all(w["io_ns"] <= limit for w in run)]

    def figures(self, fastest):
        """The result as it stands in bench.json, or None."""
        runs = self.good_runs(fastest)
        if not runs:
            return None
        workers = [w for run in runs for w in run]
        ns = [w["ns"] for w in workers]
        ratio = median(w["swap_ns"] / w["ns"] for w in workers)
        found = {
            "name": self.name, "workers": self.workers, "ns_per_packet": round(median(ns), 2),
            "ns_min": min(ns), "ns_max": max(ns),
            "cpu_ns_per_packet": round(median(w["cpu_ns"] for w in workers), 2),
            "mpps": round(self.workers * 1000 / median(ns), 3),
            "ratio_to_5tswap": round(ratio, 3),
            "bytes_per_connection": median(w["bytes_per_connection"] for w in workers),
            "without_bed_ns": round(median(w["ns"] - w["io_ns"] for w in workers), 2),
            "runs": len(runs),
        }
        if self.flows:
            found["flows"] = self.flows
        if self.note():
            found["note"] = self.note()
        if self.task["load"] == "new":
            packets = NEW[self.task["proto"]][0]
            found["ns_per_connection"] = round(packets * median(ns), 1)
            found["connections_per_second"] = round(1e9 / (packets * median(ns)))
        return found


def fastest_io(cases):
    """By bed, of all runs."""
    found = {}
    for case in cases:
        for run in case.runs:
            io = max(w["io_ns"] for w in run)
            found[case.bed()] = min(io, found.get(case.bed(), io))
    return found


@contextlib.contextmanager
def busy_neighbour(path, task):
    """An appliance of its own that does the same on the other CPU until told to end."""
    with Appliance(path, {**task, "ms": 0}, cpu_from=1) as other:
        other.apply(config_of())
        yield


def compared_with(case, cases):
    """The case that it is compared with, or None."""
    return next((other for other in cases
                 if (other.name, other.flows, other.workers) == (case.against, case.flows, 1)
                 and not other.note()), None)


def compare(case, found, other):
    """How its figures stand to the other's of the same bench: in all, and less each one's bed."""
    found["against"] = case.against
    found["ratio"] = round(found["ns_per_packet"] / other["ns_per_packet"], 3)
    found["ratio_without_bed"] = round(found["without_bed_ns"] / other["without_bed_ns"], 3)


def mode_cases():
    """Forwarding modes beside FullNAT. Where backends answer by themselves, requests are all that
    the worker sees, and are compared with FullNAT's requests."""
    yield Case("udp_nat", 100000, proto="udp", config={"mode": "nat"}, against="udp_fnat")
    yield Case("udp_snat", 100000, proto="udp", config={"mode": "snat"}, against="udp_fnat")
    yield Case("udp_fnat_requests", 100000, proto="udp", oneway=1)
    for mode in ("dr", "ipip", "gre", "gue"):
        yield Case(f"udp_{mode}", 100000, proto="udp", oneway=1, config={"mode": mode},
                   against="udp_fnat_requests")


def ipv6_cases():
    """FullNAT of IPv6 clients to backends of their family, and of the other one; then the modes
    over IPv6 as mode_cases() has them."""
    both, to_ipv4 = {"clients": 6, "backends": 6}, {"clients": 6, "backends": 4}
    for flows in (1000, 100000):
        for proto in ("udp", "tcp"):
            yield Case(f"{proto}_fnat6", flows, proto=proto, clients=6, config=both,
                       against=f"{proto}_fnat")
        yield Case("udp_fnat64", flows, proto="udp", clients=6, config=to_ipv4,
                   against="udp_fnat")
    yield Case("udp_nat6", 100000, proto="udp", clients=6, config={**both, "mode": "nat"},
               against="udp_fnat6")
    yield Case("udp_fnat6_requests", 100000, proto="udp", clients=6, oneway=1, config=both)
    for mode in ("dr", "ipip"):
        yield Case(f"udp_{mode}6", 100000, proto="udp", clients=6, oneway=1,
                   config={**both, "mode": mode}, against="udp_fnat6_requests")


def scheduler_cases():
    """New connections; the persistent ones of 65536 networks, so small that every backend has
    some in the generator's opening."""
    for scheduler in ("wlc", "mh", "conhash"):
        yield Case(f"udp_new_{scheduler}", proto="udp", lives=NEW["udp"][1],
                   config={"scheduler": f"SCHEDULER_{scheduler.upper()}"}, against="udp_new")
    yield Case("udp_new_persistent", proto="udp", lives=NEW["udp"][1], against="udp_new",
               config={"persistence": {"timeout_seconds": 300, "ipv4_prefix_length": 28}})


def all_cases():
    found = [Case(f"{proto}_fnat", flows, proto=proto)
             for flows in FLOWS for proto in ("udp", "tcp")]
    found += [Case("udp_fnat_mixed", 100000, proto="udp", arms=1),
              Case("udp_fnat_rr", 100000, proto="udp", order="rr"),
              Case("udp_fnat_zipf", 100000, proto="udp", order="zipf")]
    found += [Case(f"{proto}_new", proto=proto, lives=lives)
              for proto, (_, lives) in NEW.items()]
    for flows in (1000, 100000):  # the generator's search for its worker's clients costs time
        two = {"proto": "udp", "owners": 2}
        found += [Case("udp_fnat", flows, workers=2, **two), Case("udp_fnat", flows, **two),
                  Case("udp_fnat", flows, alone=False, **two)]
    return [*found, *mode_cases(), *ipv6_cases(), *scheduler_cases()]
