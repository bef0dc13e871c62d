# SPDX-License-Identifier: BSD-3-Clause
"""What a bench says: tables for the terminal and the docs, bench.json, bench.svg by gnuplot."""

import json
import subprocess

COLUMNS = (("WORK", "name", ""), ("FLOWS", "flows", "d"), ("WORKERS", "workers", "d"),
           ("NS/PACKET", "ns_per_packet", ".1f"), ("MIN", "ns_min", ".1f"),
           ("MAX", "ns_max", ".1f"), ("CPU-NS", "cpu_ns_per_packet", ".1f"),
           ("MPPS", "mpps", ".2f"), ("/5TSWAP", "ratio_to_5tswap", ".3f"),
           ("RATIO", "ratio", ".3f"), ("LESS-BED", "ratio_without_bed", ".3f"),
           ("AGAINST", "against", ""),
           ("CONN/S", "connections_per_second", "d"), ("", "note", ""))

# As docs/performance.md names them.
WORK = {"udp_fnat": "UDP", "tcp_fnat": "TCP, established", "udp_fnat_rr": "UDP, flows in turn",
        "udp_fnat_mixed": "UDP, one port, both directions in every burst",
        "udp_fnat_zipf": "UDP, Zipf", "udp_new": "new UDP connections, request and answer",
        "tcp_new": "TCP connections, whole life (7 packets)",
        "udp_fnat_requests": "UDP, requests alone", "udp_nat": "UDP, NAT",
        "udp_fnat6": "UDP over IPv6", "tcp_fnat6": "TCP over IPv6, established",
        "udp_fnat64": "UDP, FullNAT64", "udp_snat": "UDP, SNAT", "udp_nat6": "UDP over IPv6, NAT",
        "udp_fnat6_requests": "UDP over IPv6, requests alone",
        **{f"udp_{mode}6": f"UDP over IPv6, requests alone, {mode.upper()}"
           for mode in ("dr", "ipip")},
        **{f"udp_{mode}": f"UDP, requests alone, {mode.upper()}"
           for mode in ("dr", "ipip", "gre", "gue")},
        **{f"udp_new_{scheduler}": f"new UDP connections, {scheduler}"
           for scheduler in ("wlc", "mh", "conhash")},
        "udp_new_persistent": "new UDP connections, persistent by /28"}
NOTES = {"bed of two": "one worker on the same bed", "busy neighbour": "beside another appliance"}

# DPVS 1.10.2, UDP FullNAT on the same kind of machine: flows and ns per packet.
DPVS = ((1000, 216), (100000, 528), (1000000, 878))

PLOT = """
set terminal svg size 720,420 font "sans,13" background "white"
set output "{svg}"
set title "FullNAT, one worker, 60-byte frames, both directions, uniformly random flows"
set logscale x
set logscale y
set xlabel "open connections"
set ylabel "ns per packet"
set format x "10^{{%L}}"
set ytics (10, 20, 50, 100, 200, 500, 1000)
set yrange [10:1500]
set xrange [0.7:1500000]
set grid
set key top left
plot $udp using 1:2:3:4 with yerrorlines title "Sluice, UDP" lw 2 pt 7, \\
     $tcp using 1:2:3:4 with yerrorlines title "Sluice, TCP" lw 2 pt 5, \\
     $dpvs using 1:2 with linespoints title "DPVS, UDP" lw 2 pt 9, \\
     {swap} with lines dashtype 2 title "5tswap (reference)", \\
     {io} with lines dashtype 3 title "io (reference)"
"""


def cell(result, key, form):
    return format(result[key], form) if key in result else ""


def table(results):
    """Lines of aligned columns, for results that have a cost per packet."""
    rows = [[title for title, _, _ in COLUMNS]]
    rows += [[cell(r, key, form) for _, key, form in COLUMNS]
             for r in results if "ns_per_packet" in r]
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        yield "  ".join(t.ljust(w) if i in (0, len(row) - 1) else t.rjust(w)
                        for i, (t, w) in enumerate(zip(row, widths))).rstrip()


def others(results):
    """Results of another form, one a line: name, then what was measured."""
    for result in results:
        if "ns_per_packet" not in result:
            rest = "  ".join(f"{k} {v}" for k, v in result.items() if k != "name")
            yield f"{result['name']}: {rest}"


def write_json(path, report):
    with open(path, "w", encoding="ascii") as file:
        json.dump(report, file, indent=1)
        file.write("\n")


def work(result):
    parts = [WORK[result["name"]]]
    if result["workers"] > 1:
        parts.append("two workers")
    if "note" in result:
        parts.append(NOTES[result["note"]])
    return ", ".join(parts)


def compared(result):
    if "ratio" not in result:
        return ""
    return (f"{result['ratio']:.2f} of {WORK[result['against']]}; "
            f"{result['ratio_without_bed']:.2f} without the bed")


def write_markdown(path, report):
    """The table of docs/performance.md."""
    lines = ["| work | connections | ns a packet | min - max | Mpps | 5tswap / it "
             "| connections/s | compared |", "|---|---|---|---|---|---|---|---|"]
    for r in (r for r in report["results"] if "ns_per_packet" in r):
        per_second = r.get("connections_per_second")
        lines.append(f"| {work(r)} | {r.get('flows', '')} | {r['ns_per_packet']:.1f} "
                     f"| {r['ns_min']:.1f} - {r['ns_max']:.1f} | {r['mpps']:.1f} "
                     f"| {r['ratio_to_5tswap']:.2f} "
                     f"| {format(per_second, ',') if per_second else ''} | {compared(r)} |")
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")


def points(results, name):
    """gnuplot's inline data: flows, ns, min, max."""
    found = [r for r in results if r["name"] == name and r["workers"] == 1 and "note" not in r]
    lines = [f"{r['flows']} {r['ns_per_packet']} {r['ns_min']} {r['ns_max']}" for r in found]
    return "\n".join(sorted(lines, key=lambda line: int(line.split()[0])))


def write_chart(path, report):
    data = {"udp": points(report["results"], "udp_fnat"),
            "tcp": points(report["results"], "tcp_fnat"),
            "dpvs": "\n".join(f"{flows} {ns}" for flows, ns in DPVS)}
    script = "".join(f"${name} << END\n{lines}\nEND\n" for name, lines in data.items())
    script += PLOT.format(svg=path, io=report["reference"]["io_ns"],
                          swap=report["reference"]["5tswap_ns"])
    subprocess.run(["gnuplot"], input=script, text=True, check=True, timeout=30)
