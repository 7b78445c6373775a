from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from orbit_voice.speech.prompt_index import PromptIndex, StoredPrompt

BLOCK = 4096


def prompt(key: str, blocks: int = 1) -> StoredPrompt:
    return StoredPrompt(key, f"{key}.wav", blocks * BLOCK)


def keys(prompts: list[StoredPrompt]) -> str:
    return "".join(p.key for p in prompts)


def index(limit_blocks: int, hold_s: float = 10) -> PromptIndex:
    return PromptIndex(limit_bytes=limit_blocks * BLOCK, hold_s=hold_s)


def test_the_least_recently_used_goes_first():
    prompts = index(2)
    for key in "abc":
        prompts.add(prompt(key), used_at=0.0)
    assert prompts.use("a", 1.0) == prompt("a")
    assert keys(prompts.evict(100.0)) == "b"
    assert prompts.total_bytes == 2 * BLOCK


def test_what_was_just_handed_out_stays_though_the_limit_is_exceeded():
    prompts = index(1)
    prompts.add(prompt("a", 3), used_at=0.0)
    prompts.add(prompt("b", 3), used_at=5.0)
    assert prompts.evict(9.9) == []
    assert keys(prompts.evict(10.0)) == "a"
    assert prompts.evict(14.9) == []
    assert keys(prompts.evict(15.0)) == "b"


def test_what_was_not_used_since_the_start_is_not_held():
    prompts = index(1)
    for key in "abc":
        prompts.add(prompt(key), used_at=None)
    assert keys(prompts.evict(0.0)) == "ab"


def test_one_key_counts_once():
    prompts = index(9)
    prompts.add(prompt("a", 2), used_at=None)
    prompts.add(prompt("a", 3), used_at=None)
    assert (len(prompts), prompts.total_bytes) == (1, 3 * BLOCK)
    prompts.remove("a")
    prompts.remove("a")
    assert (len(prompts), prompts.total_bytes) == (0, 0)
    assert prompts.use("a", 0.0) is None


def test_a_small_file_counts_as_the_block_it_takes():
    assert StoredPrompt("a", "a.wav", 1).disk_bytes == BLOCK
    assert StoredPrompt("a", "a.wav", BLOCK + 1).disk_bytes == 2 * BLOCK


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "use", "remove", "evict"]), st.sampled_from("abcdef"),
              st.integers(1, 4)),
    max_size=40,
)  # fmt: skip


@settings(deadline=None)
@given(STEPS)
def test_after_any_history_the_count_is_right_and_no_held_prompt_is_gone(steps):
    prompts, held, kept = index(4, hold_s=3), {}, {}
    for now, (what, key, blocks) in enumerate(steps):
        match what:
            case "add":
                prompts.add(prompt(key, blocks), used_at=now)
                kept[key], held[key] = prompt(key, blocks), now + 3
            case "use":
                assert prompts.use(key, now) == kept.get(key)
                held[key] = now + 3
            case "remove":
                prompts.remove(key)
                kept.pop(key, None)
            case _:
                for gone in prompts.evict(now):
                    assert held[gone.key] <= now
                    assert kept.pop(gone.key) == gone
        assert prompts.total_bytes == sum(p.disk_bytes for p in kept.values())
