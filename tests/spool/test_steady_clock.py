"""The spool's clock: it never goes back, follows the wall clock, and is not carried along by a jump that is taken back."""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from jackstop.spool.steady import SECOND, STEP, TRUST, Steady

START = 1_800_000_000 * SECOND


@dataclass
class World:
    """A machine's uptime and its wall clock, which may be set."""

    up: int = 5_000_000
    off: int = START

    def wall(self) -> int:
        return self.up + self.off

    def elapsed(self) -> int:
        return self.up


def ran(world: World, clock: Steady, seconds: float, beat: int = 100_000) -> list[int]:
    found = []
    for _ in range(round(seconds * SECOND / beat)):
        world.up += beat
        found.append(clock())
    return found


@given(st.lists(st.tuples(st.integers(0, 20_000_000), st.integers(-(10**13), 10**13)), max_size=60))
@settings(deadline=None)
def test_it_never_goes_back_whatever_is_done_to_the_wall_clock(steps) -> None:
    world = World()
    clock, before = Steady(world.wall, world.elapsed), 0
    for passed, jump in steps:
        world.up += passed
        world.off += jump
        now = clock()
        assert now >= before
        before = now


@given(st.lists(st.integers(-STEP // 4, STEP // 4), min_size=1, max_size=40), st.integers(3, 300_000))
@settings(deadline=None)
def test_it_stays_near_a_wall_clock_that_is_set_right_by_little(offs: list[int], beat: int) -> None:
    world = World()
    clock = Steady(world.wall, world.elapsed)
    for off in offs:
        world.off = START + off
        world.up += beat
        assert abs(clock() - world.wall()) <= STEP


@given(st.integers(STEP + 1, 10**14) | st.integers(-(10**14), -STEP - 1), st.integers(1, 59))
@settings(deadline=None)
def test_a_jump_that_is_taken_back_within_a_minute_leaves_no_trace(jump: int, seconds: int) -> None:
    world = World()
    clock = Steady(world.wall, world.elapsed)
    world.off += jump
    ran(world, clock, seconds)
    world.off -= jump
    assert abs(ran(world, clock, 1)[-1] - world.wall()) <= 1


def test_a_jump_ahead_that_lasts_is_believed_after_a_minute() -> None:
    world = World()
    clock = Steady(world.wall, world.elapsed)
    world.off += 3600 * SECOND
    times = ran(world, clock, TRUST / SECOND + 1)
    assert times[-20] < world.wall() - 3000 * SECOND
    assert abs(times[-1] - world.wall()) <= 1


def test_after_the_clock_was_set_back_for_good_time_goes_on_at_half_pace_until_it_is_right() -> None:
    world = World()
    clock = Steady(world.wall, world.elapsed)
    world.off -= 30 * SECOND
    ran(world, clock, 60)
    slow = ran(world, clock, 30)
    assert abs((slow[-1] - slow[0]) - 15 * SECOND) < SECOND
    assert abs(ran(world, clock, 60)[-1] - world.wall()) <= 1


def test_small_steps_are_followed_also_when_it_is_asked_all_the_time() -> None:
    world = World()
    clock = Steady(world.wall, world.elapsed)
    world.off += STEP // 2
    ran(world, clock, 3.0, beat=7)
    assert abs(clock() - world.wall()) <= 1
