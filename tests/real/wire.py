# SPDX-License-Identifier: BSD-3-Clause
"""Judges a recording: what tshark's experts say of it, and what rill may never do on a wire.

    wire.py PCAP [--lossy] [--resets]      the same by hand; the exit code says whether all is well
"""

import bisect
import collections
import re
import subprocess
import sys

FIELDS = [
    "frame.number", "frame.time_relative", "ip.src", "tcp.srcport", "ip.dst", "tcp.dstport",
    "tcp.seq_raw", "tcp.ack_raw", "tcp.flags", "tcp.window_size_value", "tcp.len",
    "tcp.options.sack_le", "tcp.options.sack_re", "tcp.options.timestamp.tsval",
    "tcp.options.timestamp.tsecr", "tcp.options.wscale.shift", "tcp.options.mss_val",
    "_ws.expert.severity", "_ws.expert.group", "_ws.expert.message",
]
FIN, SYN, RST, ACK = 1, 2, 4, 16
HALF = 1 << 31
ERROR, WARN, NOTE, CHAT = 8388608, 6291456, 4194304, 2097152
MALFORMED, CHECKSUM = 117440512, 16777216
# Said of a wire that loses and disorders, or of a peer that is slow; not of the sender's manners.
HARMLESS = re.compile(
    r"Out-Of-Order|Previous segment|ACKed segment that wasn't captured|now completely full"
    r"|Zero Window|window update|Duplicate ACK|D-SACK|keep-alive|suspected\) retransmission"
    r"|fast retransmission|spurious retransmission|Connection (establish|finish)"
    r"|undergoes the connection closing|initiates the connection closing|reused|Connection reset", re.I)
# A segment that still repeats what was acknowledged so long ago was not under way.
STALE_S = 2.0
# Repeats that nothing on a clean wire called for: a computer that others slow down looks like loss.
NEEDLESS_SHARE, NEEDLESS_FEW = 0.005, 10


def minus(a, b):
    """a - b of sequence numbers or timestamps, by sign."""
    return ((a - b + HALF) % (2 * HALF)) - HALF


class Ranges:
    """Disjoint ranges of unwrapped sequence numbers, each with the mark of when it came."""

    def __init__(self):
        self.starts, self.ends = [], []

    def add(self, start, end):
        if start >= end:
            return
        first = bisect.bisect_left(self.ends, start)
        last = bisect.bisect_right(self.starts, end)
        if first < last:
            start = min(start, self.starts[first])
            end = max(end, self.ends[last - 1])
        self.starts[first:last] = [start]
        self.ends[first:last] = [end]

    def holds(self, start, end):
        i = bisect.bisect_right(self.starts, start) - 1
        return i >= 0 and self.ends[i] >= end

    def front(self, start):
        """The end of what lies at start without a hole."""
        i = bisect.bisect_right(self.starts, start) - 1
        return self.ends[i] if i >= 0 and self.ends[i] >= start else start


class Segment:
    def __init__(self, row):
        number, when, _, _, _, _, seq, ack, flags, window, length = row[:11]
        self.number, self.when = int(number), float(when)
        self.seq, self.ack = int(seq), int(ack or 0)
        self.flags, self.window, self.len = int(flags, 16), int(window), int(length or 0)
        self.sacks = list(zip(ints(row[11]), ints(row[12])))
        self.tsval, self.tsecr = first(row[13]), first(row[14])
        self.wscale, self.mss = first(row[15]), first(row[16])
        self.span = self.len + bool(self.flags & SYN) + bool(self.flags & FIN)


def ints(text):
    return [int(word) for word in text.split("|")] if text else []


def first(text):
    return ints(text)[0] if text else None


class End:
    """What one end of a connection has sent so far. Numbers are unwrapped, from its SYN's on."""

    def __init__(self):
        self.isn = None
        self.syn = None		# its SYN, while there is one
        self.sent = Ranges()
        self.top = 0
        self.acks = [(0, None, 0.0)]	# what it has acknowledged, (number, TSval, when), rising
        self.sacked = []	# (start, end, TSval, when) of what it has
        self.edge = None	# of the window it has offered
        self.tsval = None
        self.last_ack = 0
        self.tsvals = set()
        self.fin = None		# the number behind its FIN
        self.probed = None	# what was sent and acknowledged when it sent a tail loss probe

    def unwrap(self, number, near):
        return near + minus(number, (self.isn + near) % (2 * HALF))


class Connection:
    """From rill's side (us) and its peer's (them)."""

    def __init__(self, judge, name):
        self.judge, self.name = judge, name
        self.us, self.them = End(), End()
        self.shift = {True: 0, False: 0}
        self.stamped = self.sacking = False

    def bad(self, seg, what):
        self.judge.bad(f"frame {seg.number} ({self.name}): {what}")

    def see(self, seg, ours):
        if seg.flags & SYN:
            self.see_syn(seg, ours)
        me, other = (self.us, self.them) if ours else (self.them, self.us)
        if me.isn is None:
            return
        at = me.unwrap(seg.seq, me.top)
        if ours:
            self.judge_ours(seg, at)
        self.learn(seg, me, other, at)

    def see_syn(self, seg, ours):
        me = self.us if ours else self.them
        # A listener that has forgotten a half-open connection answers its SYN anew.
        if me.isn is not None and me.isn != seg.seq:
            me.__init__()
            other = self.them if ours else self.us
            other.acks, other.last_ack = [(0, None, 0.0)], 0
        if me.isn is None:
            me.isn, me.syn = seg.seq, seg
        if seg.flags & ACK:
            other = self.them if ours else self.us
            if other.syn:
                both = [seg, other.syn]
                self.stamped = all(s.tsval is not None for s in both)
                if all(s.wscale is not None for s in both):
                    self.shift = {ours: seg.wscale, not ours: other.syn.wscale}
        if ours:
            if seg.mss is None or not 536 <= seg.mss <= 65495:
                self.bad(seg, f"a SYN with the MSS {seg.mss}")
            if seg.wscale is not None and seg.wscale > 14:
                self.bad(seg, f"the window scale {seg.wscale}")

    def learn(self, seg, me, other, at):
        end = at + seg.span
        me.sent.add(at, end)
        me.top = max(me.top, end)
        if seg.flags & FIN:
            me.fin = end
        if seg.tsval is not None:
            me.tsvals.add(seg.tsval)
        if not seg.flags & ACK or other.isn is None or seg.flags & RST:
            return
        ack = other.unwrap(seg.ack, me.last_ack)
        if ack > me.last_ack:
            me.last_ack = ack
            me.acks.append((ack, seg.tsval, seg.when))
        for left, right in seg.sacks:
            start, stop = other.unwrap(left, ack), other.unwrap(right, ack)
            if me is self.them and start < ack:
                self.judge.told_needless += 1
            if start >= ack and not any(s <= start and e >= stop for s, e, *_ in me.sacked[-64:]):
                me.sacked.append((start, stop, seg.tsval, seg.when))
        ours = me is self.us
        scale = 0 if seg.flags & SYN else self.shift[ours]
        edge = ack + (seg.window << scale)
        if ours and me.edge is not None and edge < me.edge - (1 << scale):
            self.bad(seg, f"the window's right edge goes back by {me.edge - edge}")
        me.edge = edge if me.edge is None else max(edge, me.edge)

    # ---- what rill may not do ----

    def judge_ours(self, seg, at):
        if seg.flags & RST:
            self.judge.resets += 1
            if not self.judge.resets_due and not self.is_over():
                self.bad(seg, "a RST")
            return
        self.judge_stamps(seg)
        self.judge_ack(seg)
        if seg.span:
            self.judge_data(seg, at, at + seg.span)

    def is_over(self):
        """Both FINs are acknowledged: what comes late is answered by a RST (RFC 9293, 3.10.7.1)."""
        return None not in (self.us.fin, self.them.fin) and \
            self.them.last_ack >= self.us.fin and self.us.last_ack >= self.them.fin

    def judge_stamps(self, seg):
        if not self.stamped:
            return
        if seg.tsval is None:
            self.bad(seg, "no timestamp, though both SYNs had one")
            return
        if self.us.tsval is not None and minus(seg.tsval, self.us.tsval) < 0:
            self.bad(seg, "the timestamp goes back")
        self.us.tsval = seg.tsval
        if seg.flags & ACK and seg.tsecr not in self.them.tsvals:
            self.bad(seg, f"TSecr {seg.tsecr}, which the peer never sent")

    def judge_ack(self, seg):
        if not seg.flags & ACK or self.them.isn is None:
            return
        ack = self.them.unwrap(seg.ack, self.us.last_ack)
        if ack < self.us.last_ack:
            self.bad(seg, f"the ACK goes back by {self.us.last_ack - ack}")
        if ack > self.them.sent.front(0):
            self.bad(seg, "an ACK of what has not been received")
        for left, right in seg.sacks:
            start, stop = self.them.unwrap(left, ack), self.them.unwrap(right, ack)
            if start >= stop or not self.them.sent.holds(start, stop):
                self.bad(seg, f"a SACK of {start}..{stop}, which has not been received")
            elif start <= ack < stop:
                self.bad(seg, f"a SACK of {start}..{stop} beside the ACK {ack}")

    def judge_data(self, seg, at, end):
        us, them, judge = self.us, self.them, self.judge
        judge.data += 1
        if them.edge is not None and end - bool(seg.flags & FIN) > them.edge and seg.len > 1:
            self.bad(seg, f"{end - them.edge} bytes beyond the peer's window")
        if at >= us.top:
            return
        # Keep-alives and probes repeat a byte on purpose.
        if seg.len <= 1 and end <= them.last_ack and not seg.flags & (SYN | FIN):
            return
        judge.repeats += 1
        if end == us.top and us.probed != (us.top, them.last_ack):
            # The first of its flight and its last segment: a tail loss probe (RFC 8985, 7.3).
            us.probed = (us.top, them.last_ack)
            judge.probes += 1
        elif us.sent.holds(at, end):
            judge.needless_if_clean += 1
        # A listener whose queue is full has acknowledged nothing yet: it asks again with its SYN.
        repeats_synack = seg.flags & (SYN | ACK) == SYN | ACK
        known = not repeats_synack and self.known(seg, them.acks, lambda a: a[0] >= end)
        if known:
            self.bad(seg, f"repeats {at}..{end}, which frames of {seg.when - known[2]:.3f} s "
                          "before had acknowledged")
        known = self.known(seg, them.sacked, lambda s: s[0] <= at and s[1] >= end)
        if known:
            self.bad(seg, f"repeats {at}..{end}, which a SACK of {seg.when - known[3]:.3f} s "
                          "before had covered")

    def known(self, seg, facts, fits):
        """The first fact that fits and that the sender had seen when it sent seg: what it echoes
        is younger."""
        for fact in facts if len(facts) < 64 else reversed(facts):
            if not fits(fact):
                if len(facts) >= 64 and fact[2] is not None and len(fact) == 3:
                    return None
                continue
            tsval, when = fact[-2:]
            if seg.when - when > self.judge.stale_s:
                return fact
            if seg.flags & ACK and None not in (tsval, seg.tsecr) and \
                    minus(seg.tsecr, tsval) > 0:
                return fact
        return None


def rows(pcap, sums=True):
    """What tshark says of each frame, in the order of FIELDS."""
    command = ["tshark", "-n", "-r", pcap, "-T", "fields", "-E", "occurrence=a",
               "-E", "aggregator=|", "-E", "separator=/t",
               # Payload is nobody's protocol here.
               "-d", "tcp.port==1-65535,data",
               "-o", "tcp.relative_sequence_numbers:FALSE",
               "-o", "ip.check_checksum:" + str(sums).upper(),
               "-o", "tcp.check_checksum:" + str(sums).upper()]
    for field in FIELDS:
        command += ["-e", field]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as tshark:
        for line in tshark.stdout:
            yield line.rstrip("\n").split("\t")
        complaint = tshark.stderr.read()
    if tshark.returncode != 0:
        raise OSError(f"tshark: {complaint.strip()}")


class Judge:
    def __init__(self, rill_ip, lossy=False, resets=False, sums=True, overrun=False):
        self.rill_ip, self.lossy, self.resets_due, self.sums = rill_ip, lossy, resets, sums
        # Frames to rill were recorded that it may not have got: only what it echoes shows that.
        self.stale_s = float("inf") if overrun else STALE_S
        self.problems = []
        self.problem_count = 0
        self.connections = {}
        self.connection_count = 0
        self.frames = self.data = self.repeats = self.probes = self.told_needless = 0
        self.needless_if_clean = self.resets = 0
        self.said = collections.Counter()

    def bad(self, what):
        self.problem_count += 1
        if len(self.problems) < 8:
            self.problems.append(what)

    def read(self, pcap):
        try:
            for row in rows(pcap, self.sums):
                self.frame(row)
        except OSError as e:
            self.bad(str(e))
        return self.sum_up()

    def frame(self, row):
        self.frames += 1
        ours = row[2] == self.rill_ip
        self.experts(row, ours)
        if row[6] == "" or "|" in row[2]:
            return
        seg = Segment(row)
        far, near = (row[4:6], row[3]) if ours else (row[2:4], row[5])
        key = (near, *far)
        known = self.connections.get(key)
        if seg.flags & SYN and not seg.flags & ACK and (known is None or self.is_new(known, seg, ours)):
            known = Connection(self, f"{near} to {':'.join(far)}")
            self.connections[key] = known
            self.connection_count += 1
        if known:
            known.see(seg, ours)

    @staticmethod
    def is_new(known, seg, ours):
        me = known.us if ours else known.them
        return me.isn is not None and me.isn != seg.seq

    def experts(self, row, ours):
        severities, groups, messages = ints(row[17]), ints(row[18]), row[19].split("|")
        for severity, group, message in zip(severities, groups, messages):
            if ours:
                self.said[re.sub(r" \(#\d+\)", "", message)] += 1
            if not ours or severity <= CHAT:
                continue
            if severity >= ERROR or group in (MALFORMED, CHECKSUM) or not HARMLESS.search(message):
                self.bad(f"frame {row[0]}: tshark says: {message}")

    def sum_up(self):
        if self.frames == 0 or self.connection_count == 0:
            self.bad("nothing was recorded")
        limit = NEEDLESS_FEW + NEEDLESS_SHARE * self.data
        if not self.lossy and self.needless_if_clean > limit:
            self.bad(f"{self.needless_if_clean} of {self.data} segments repeated on a clean wire")
        return self

    def verdict(self):
        return (f"{self.frames} frames, {self.connection_count} connections, {self.data} segments "
                f"of rill's, {self.repeats} repeats ({self.probes} probes of a tail, "
                f"{self.told_needless} D-SACKs of the peer), {self.resets} RST")


def main():
    judge = Judge("198.18.9.1", "--lossy" in sys.argv, "--resets" in sys.argv).read(sys.argv[1])
    print(judge.verdict())
    for message, count in judge.said.most_common():
        print(f"{count:8} {message}")
    for problem in judge.problems:
        print("BAD", problem)
    print(judge.problem_count, "problems")
    return judge.problem_count > 0


if __name__ == "__main__":
    sys.exit(main())
