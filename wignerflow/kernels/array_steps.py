"""The splitting scheme with arrays: what the members of a group do in a step, after the singles."""

from __future__ import annotations

from ..phasespace.polynomials import Leaf, Member
from .members import Members
from .splitting import StepPrinter
from .text import LANE_LOOP, Lines, nested, plus


class ArrayStepPrinter(StepPrinter):
    """Prints the functions ``local`` and ``step`` of a system with arrays."""

    members: Members

    def _stages(self, out: Lines) -> None:
        """Both stages, each for all single subsystems and then group by group."""
        layout = self.layout
        for stage in (1, 2):
            self.members.total(out, self.sums)
            lane = nested(out, LANE_LOOP)
            self._singles(stage, lane)
            lane += ["pass"]
            for group in layout.groups:
                if group not in self.members.apart:
                    self._pass(group, (stage,), out)
                elif stage == 1:
                    self._pass(group, (1, 2), out)

    def _pass(self, group: int, stages: tuple[int, ...], out: Lines) -> None:
        """One stage for the members of a group, or both in one pass where they are apart."""
        layout, blocks = self.layout, self.layout.groups[group]
        first = stages[0]
        source = "v" if first == 1 else "q"
        self.members.fields.before(out, group, source)
        self.members.channels.before(group, first, source, out)
        loop = layout.members(out, group)
        loop += (f"i{k} = {layout.member_index(k, 'm')}" for k in blocks)
        points: dict[int, dict[Leaf, str]] = {}
        gradients = {}
        for stage in stages:
            points[stage] = {
                Member(k, c): f"{'x' if stage == 1 and k not in self.averaged else 'y'}{k}_{c}"
                for k in blocks
                for c in range(layout.blocks[k].components)
            }
            gradients[stage] = self.members.begin(
                group, stage, source, points[stage], self.sums, loop
            )
            for k in blocks:
                if self.modes and k in self.averaged:
                    loop += self.modes.load(k, "m")
                    self.modes.noise_member(k, stage, loop)
        if 2 in stages:
            for k in blocks:
                if k in self.local.steps:
                    loop += self.local.load(k, "m")
                    self.local.noise_member(k, loop)
            if self.diffusions:
                self.diffusions.before_member(group, loop)
            if self.records:
                self.records.load(group, loop)
        for stage in stages:
            # a loop for each: its chain of dependent operations is half as long
            terms, body = gradients[stage]
            last = stage == stages[-1]
            lane = nested(loop, LANE_LOOP)
            for k in blocks:
                for c in range(layout.blocks[k].components):
                    place = f"{source}[i{k} + {c} * LN + l]"
                    if stage != first:
                        place = layout.s(f"mid{k}_{c}")
                    lane += [f"{points[stage][Member(k, c)]} = {place}"]
                    if stage == 2 or k in self.averaged:
                        lane += [f"x{k}_{c} = v[i{k} + {c} * LN + l]"]
            lane += body
            end: dict[Leaf, str] = {}
            for k in self._modes_first(blocks):
                n = layout.blocks[k].components
                x, y = ([f"{name}{k}_{c}" for c in range(n)] for name in "xy")
                g = [plus(*terms[k, c]) for c in range(n)]
                y = self._advance(k, f"{k}", g, x, y, stage, lane)
                end.update({Member(k, c): y[c] for c in range(n)})
            if not last:
                for leaf, name in end.items():
                    assert isinstance(leaf, Member)
                    lane += [f"{layout.s(f'mid{leaf.block}_{leaf.comp}')} = {name}"]
                continue
            if self.diffusions and 2 in stages:
                end.update(self.diffusions.lines(group, end, lane))
            target = "v" if 2 in stages else "q"
            lane += layout.store(end, target)
            self.sums.add(group, end, lane, () if 2 in stages else self.seen)
            if self.records and 2 in stages:
                self.records.after_member(group, blocks, lane)

    def local_step(self) -> Lines:
        """Source of ``local``: the local step with table row lr, and the forms at its end."""
        layout, (head, out) = self.layout, super().local_step()
        for group, blocks in layout.groups.items():
            local_blocks = [k for k in blocks if k in self.local.steps]
            if not local_blocks and not self.sums.of(group):
                continue
            loop = layout.members(out, group)
            loop += (f"i{k} = {layout.member_index(k, 'm')}" for k in blocks)
            self.sums.load(group, loop)
            for k in local_blocks:
                loop += self.local.load(k, "m")
                self.local.noise_member(k, loop)
            lane = nested(loop, LANE_LOOP)
            end: dict[Leaf, str] = {}
            for k in blocks:
                n = layout.blocks[k].components
                x = [f"x{k}_{c}" for c in range(n)]
                lane += (f"{x[c]} = v[i{k} + {c} * LN + l]" for c in range(n))
                if k in local_blocks:
                    y = [f"u{k}_{c}" for c in range(n)]
                    lane += [*self.local.read_noise(k), *self.local.lines(k, x, y)]
                    lane += (f"v[i{k} + {c} * LN + l] = {y[c]}" for c in range(n))
                    x = y
                end.update({Member(k, c): x[c] for c in range(n)})
            self.sums.add(group, end, lane)
        return [head, out]
