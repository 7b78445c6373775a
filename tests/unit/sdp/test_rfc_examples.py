"""The exchanges of RFC 3264 §10 and RFC 4317, as far as they are about audio.

The standards' examples use codecs we do not speak (iLBC) and host names as media addresses, which
we refuse. So each exchange is played with PCMA under the payload type of iLBC and with numeric
addresses; that the texts themselves can be read, names and all, is a test of its own.
"""

from __future__ import annotations

import pytest

from orbit_voice.sdp.description import parse_sdp
from orbit_voice.sdp.errors import SdpError
from orbit_voice.sdp.offer_answer import AudioNegotiation, Direction, State

ALICE, BOB, ELSEWHERE = "192.0.2.10", "198.51.100.20", "198.51.100.21"
ILBC = "a=rtpmap:97 PCMA/8000"
EVENTS = "a=rtpmap:98 telephone-event/8000"


def describe(owner: str, address: str, number: int, *media: str) -> bytes:
    """Build a description in the form of the RFCs: ``s=`` is one space."""
    head = ["v=0", f"o={owner} 2890844526 {number} IN IP4 {address}", "s= "]
    return "\r\n".join([*head, f"c=IN IP4 {address}", "t=0 0", *media, ""]).encode()


def from_alice(number: int, *media: str, address: str = ALICE) -> bytes:
    return describe("alice", address, 2890844526 + number, *media)


def us(port: int, *codecs: str, events: bool = True) -> AudioNegotiation:
    return AudioNegotiation(
        local_address=BOB,
        local_rtp_port=port,
        codecs=codecs or ("PCMU", "PCMA"),
        session_id=2808844564,
        telephone_event=events,
    )


def m_lines(data: bytes) -> list[str]:
    return [f"m={media.line}" for media in parse_sdp(data).media]


@pytest.mark.parametrize("host", ["host.anywhere.com", "host.atlanta.example.com"])
def test_descriptions_with_host_names_can_be_read_but_not_used(host):
    text = from_alice(0, "m=audio 49170 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", address=host)
    assert parse_sdp(text).serialize() == text
    with pytest.raises(SdpError) as caught:
        us(49174).receive_offer(text)
    assert caught.value.status_hint == 488


def test_rfc3264_10_1_basic_exchange():
    """Audio is taken, both videos are refused; later Bob moves his audio port's stream on hold."""
    bob = us(49920, "PCMU", events=False)
    bob.receive_offer(
        from_alice(
            0,
            "m=audio 49170 RTP/AVP 0",
            "a=rtpmap:0 PCMU/8000",
            "m=video 51372 RTP/AVP 31",
            "a=rtpmap:31 H261/90000",
            "m=video 53000 RTP/AVP 32",
            "a=rtpmap:32 MPV/90000",
        )
    )
    answer, plan = bob.make_answer()
    refused = ["m=video 0 RTP/AVP 31", "m=video 0 RTP/AVP 32"]
    assert m_lines(answer) == ["m=audio 49920 RTP/AVP 0", *refused]
    assert (plan.remote_address, plan.remote_rtp_port) == (ALICE, 49170)
    offer = bob.make_offer(Direction.SENDONLY)
    assert m_lines(offer) == ["m=audio 49920 RTP/AVP 0", *refused]
    plan = bob.receive_answer(
        from_alice(
            1,
            "m=audio 49170 RTP/AVP 0",
            "a=recvonly",
            "m=video 0 RTP/AVP 31",
            "m=video 0 RTP/AVP 32",
        )
    )
    assert (plan.sends, plan.receives) == (True, False)


def test_rfc3264_10_2_one_of_n_codecs_locked_down_by_a_second_offer():
    bob = us(54344)
    media = "m=audio 62986 RTP/AVP 4 0 18", "a=rtpmap:4 G723/8000", "a=rtpmap:18 G729/8000"
    bob.receive_offer(from_alice(0, *media, "a=inactive"))
    answer, plan = bob.make_answer()
    assert m_lines(answer) == ["m=audio 54344 RTP/AVP 0"]
    assert (plan.sends, plan.receives) == (False, False)
    bob.receive_offer(from_alice(1, "m=audio 62986 RTP/AVP 0", "a=sendrecv"))
    answer, plan = bob.make_answer()
    assert parse_sdp(answer).origin.session_version == 2
    assert (plan.codec, plan.sends, plan.receives) == ("PCMU", True, True)


def test_rfc4317_2_1_one_codec_of_three_is_accepted():
    bob = us(49174)
    audio = "m=audio 49170 RTP/AVP 0 8 97", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000"
    bob.receive_offer(from_alice(0, *audio, "a=rtpmap:97 iLBC/8000", "m=video 51372 RTP/AVP 31 32"))
    answer, plan = bob.make_answer()
    assert m_lines(answer) == ["m=audio 49174 RTP/AVP 0", "m=video 0 RTP/AVP 31 32"]
    assert plan.codec == "PCMU"


def test_rfc4317_2_2_a_second_offer_narrows_the_codecs():
    """We are Alice, who can only do one codec at a time: the first of Bob's answer."""
    alice = us(49170)
    first = alice.make_offer()
    plan = alice.receive_answer(
        from_alice(0, "m=audio 49172 RTP/AVP 0 8", "a=rtpmap:0 PCMU/8000", "a=rtpmap:8 PCMA/8000")
    )
    assert (plan.codec, plan.remote_rtp_port) == ("PCMU", 49172)
    alice.receive_offer(from_alice(1, "m=audio 49172 RTP/AVP 0"))
    answer, _ = alice.make_answer()
    assert parse_sdp(answer).origin.session_version == parse_sdp(first).origin.session_version + 1


def test_rfc4317_2_3_the_answer_uses_another_payload_type_for_the_same_codec():
    alice = us(49170)
    alice.make_offer()
    plan = alice.receive_answer(from_alice(0, "m=audio 49172 RTP/AVP 99", "a=rtpmap:99 PCMA/8000"))
    assert (plan.codec, plan.send_payload_type, plan.receive_payload_type) == ("PCMA", 99, 8)


def test_rfc4317_2_4_a_stream_of_events_alone_is_refused_beside_the_audio():
    bob = us(49172)
    bob.receive_offer(
        from_alice(
            0,
            "m=audio 49170 RTP/AVP 0 97",
            "a=rtpmap:0 PCMU/8000",
            ILBC,
            "m=audio 49172 RTP/AVP 98",
            EVENTS,
            "a=sendonly",
        )
    )
    answer, _ = bob.make_answer()
    assert m_lines(answer) == ["m=audio 49172 RTP/AVP 0", "m=audio 0 RTP/AVP 98"]


def test_rfc4317_2_5_a_new_media_address_is_answered_with_the_same_description():
    alice = us(49170, "PCMA", events=False)
    alice.receive_offer(from_alice(0, "m=audio 49174 RTP/AVP 97", ILBC))
    before, _ = alice.make_answer()
    alice.receive_offer(from_alice(1, "m=audio 49178 RTP/AVP 97", ILBC, address=ELSEWHERE))
    after, plan = alice.make_answer()
    assert after == before
    assert (plan.remote_address, plan.remote_rtp_port) == (ELSEWHERE, 49178)


def test_rfc4317_2_6_the_first_stream_is_declined_and_the_second_accepted():
    bob = us(49170, "PCMA")
    second = "m=audio 51372 RTP/AVP 97 101", ILBC, "a=rtpmap:101 telephone-event/8000"
    bob.receive_offer(from_alice(0, "m=audio 49170 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", *second))
    answer, plan = bob.make_answer()
    assert m_lines(answer) == ["m=audio 0 RTP/AVP 0", "m=audio 49170 RTP/AVP 97 101"]
    assert (plan.remote_rtp_port, plan.telephone_event_send) == (51372, 101)


def test_rfc4317_3_1_held_by_the_answer_and_resumed_by_the_callees_offer():
    alice = us(49170, events=False)
    alice.make_offer()
    plan = alice.receive_answer(from_alice(0, "m=audio 49172 RTP/AVP 97", ILBC, "a=sendonly"))
    assert (plan.sends, plan.receives) == (False, True)
    alice.receive_offer(from_alice(1, "m=audio 49170 RTP/AVP 97", ILBC))
    answer, plan = alice.make_answer()
    assert m_lines(answer) == ["m=audio 49170 RTP/AVP 97"]
    assert (plan.sends, plan.receives) == (True, True)


def test_rfc4317_3_2_one_of_two_streams_goes_on_hold():
    alice = us(49170)
    events = "m=audio 49174 RTP/AVP 98", EVENTS
    alice.receive_offer(from_alice(0, "m=audio 49172 RTP/AVP 97", ILBC, *events, "a=recvonly"))
    alice.make_answer()
    alice.receive_offer(
        from_alice(1, "m=audio 49172 RTP/AVP 97", ILBC, "a=sendonly", *events, "a=recvonly")
    )
    answer, plan = alice.make_answer()
    assert m_lines(answer) == ["m=audio 49170 RTP/AVP 97", "m=audio 0 RTP/AVP 98"]
    assert (plan.sends, plan.receives) == (False, True)


def test_rfc4317_4_1_a_second_audio_stream_is_added_and_refused():
    alice = us(49170, events=False)
    alice.make_offer()
    alice.receive_answer(from_alice(0, "m=audio 49170 RTP/AVP 97", ILBC))
    alice.receive_offer(
        from_alice(
            1,
            "m=audio 49170 RTP/AVP 97",
            ILBC,
            "m=audio 48282 RTP/AVP 98",
            f"c=IN IP4 {ELSEWHERE}",
            EVENTS,
            "a=recvonly",
        )
    )
    answer, plan = alice.make_answer()
    assert m_lines(answer) == ["m=audio 49170 RTP/AVP 97", "m=audio 0 RTP/AVP 98"]
    assert plan.remote_address == ALICE


def test_rfc4317_4_2_and_4_3_video_comes_and_goes_beside_the_audio():
    bob = us(49172, "PCMU")
    audio = "m=audio 49170 RTP/AVP 0", "a=rtpmap:0 PCMU/8000"
    bob.receive_offer(from_alice(0, *audio))
    assert m_lines(bob.make_answer()[0]) == ["m=audio 49172 RTP/AVP 0"]
    for number, port in enumerate((49172, 0), start=1):
        bob.receive_offer(from_alice(number, *audio, f"m=video {port} RTP/AVP 31"))
        answer, plan = bob.make_answer()
        assert m_lines(answer) == ["m=audio 49172 RTP/AVP 0", "m=video 0 RTP/AVP 31"]
        assert plan.sends is True


def test_rfc4317_5_1_an_offer_without_streams_is_refused():
    """The RFC's Bob accepts it; a call of ours is about audio, so we answer 488."""
    bob = us(49172)
    with pytest.raises(SdpError) as caught:
        bob.receive_offer(from_alice(0))
    assert (caught.value.status_hint, bob.state) == (488, State.NEW)


def test_rfc4317_5_2_a_black_holed_offer_is_accepted_and_opened_later():
    bob = us(49170, "PCMA", events=False)
    bob.receive_offer(from_alice(0, "m=audio 23442 RTP/AVP 97", ILBC, address="0.0.0.0"))
    first, plan = bob.make_answer()
    assert plan.sends is False
    bob.receive_offer(from_alice(1, "m=audio 49170 RTP/AVP 97", ILBC))
    second, plan = bob.make_answer()
    assert second == first
    assert (plan.sends, plan.remote_address) == (True, ALICE)


def test_rfc4317_5_3_a_black_holed_answer_is_accepted_and_opened_later():
    alice = us(49170, "PCMA", events=False)
    alice.make_offer()
    plan = alice.receive_answer(from_alice(0, "m=audio 9322 RTP/AVP 97", ILBC, address="0.0.0.0"))
    assert (plan.sends, plan.receives) == (False, True)
    alice.receive_offer(from_alice(1, "m=audio 49172 RTP/AVP 97", ILBC))
    _, plan = alice.make_answer()
    assert (plan.sends, plan.remote_rtp_port) == (True, 49172)
