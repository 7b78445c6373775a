"""Offer and answer for one audio stream: what we say, understand and refuse."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orbit_voice.kit.errors import LocalProtocolError
from orbit_voice.sdp.description import parse_sdp
from orbit_voice.sdp.errors import SdpError
from orbit_voice.sdp.exchange import REFUSALS, TRANSITIONS, Input
from orbit_voice.sdp.offer_answer import AudioNegotiation, AudioPlan, Direction, State

SESSION = "v=0\r\no=peer 5 9 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
EVENTS = "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
AUDIO = f"m=audio 30000 RTP/AVP 0 8 101\r\n{EVENTS}"


def sdp(*sections: str, session: str = SESSION) -> bytes:
    return (session + "".join(sections)).encode()


def lines(data: bytes) -> list[str]:
    return data.decode().removesuffix("\r\n").split("\r\n")


def version(data: bytes) -> int:
    return parse_sdp(data).origin.session_version


def streams(data: bytes) -> list[tuple[str, int, tuple[str, ...]]]:
    return [(m.line.kind, m.line.port, m.line.formats) for m in parse_sdp(data).media]


def answer_to(negotiation: AudioNegotiation, *sections: str) -> tuple[bytes, AudioPlan]:
    negotiation.receive_offer(sdp(*sections))
    return negotiation.make_answer()


# Our offer ------------------------------------------------------------------------------------


def test_an_offer_lists_our_codecs_in_our_order_and_the_events(negotiation):
    assert lines(negotiation(codecs=("PCMA", "PCMU")).make_offer()) == [
        "v=0",
        "o=- 77 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 20000 RTP/AVP 8 0 101",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
    ]


def test_an_offer_without_events_names_none(negotiation):
    offer = negotiation(telephone_event=False).make_offer()
    assert b"telephone-event" not in offer
    assert streams(offer) == [("audio", 20000, ("0", "8"))]


def test_an_ipv6_offer_says_so(negotiation):
    offer = lines(negotiation(local_address="2001:db8::5").make_offer())
    assert "c=IN IP6 2001:db8::5" in offer
    assert "o=- 77 1 IN IP6 2001:db8::5" in offer


# Their answer ---------------------------------------------------------------------------------


def test_the_first_codec_of_the_answer_that_we_offered_is_used(negotiation):
    ours = negotiation()
    ours.make_offer()
    plan = ours.receive_answer(sdp(f"m=audio 30000 RTP/AVP 18 8 0 101\r\n{EVENTS}"))
    assert plan == AudioPlan(
        remote_address="198.51.100.7",
        remote_rtp_port=30000,
        remote_rtcp_port=30001,
        rtcp_mux=False,
        codec="PCMA",
        send_payload_type=8,
        receive_payload_type=8,
        telephone_event_send=101,
        telephone_event_receive=101,
        ptime_ms=20,
        sends=True,
        receives=True,
    )
    assert ours.plan == plan


def test_each_side_is_sent_the_payload_types_it_named(negotiation):
    ours = negotiation()
    ours.make_offer()
    plan = ours.receive_answer(
        sdp("m=audio 5000 RTP/AVP 97 98\r\na=rtpmap:97 pcmu/8000/1\r\n")
        + b"a=rtpmap:98 Telephone-Event/8000\r\n"
    )
    assert (plan.codec, plan.send_payload_type, plan.receive_payload_type) == ("PCMU", 97, 0)
    assert (plan.telephone_event_send, plan.telephone_event_receive) == (98, 101)


def test_events_that_the_answer_leaves_out_are_not_used_either_way(negotiation):
    ours = negotiation()
    ours.make_offer()
    plan = ours.receive_answer(sdp("m=audio 5000 RTP/AVP 0\r\n"))
    assert (plan.telephone_event_send, plan.telephone_event_receive) == (None, None)


def test_events_nobody_offered_are_not_used(negotiation):
    ours = negotiation(telephone_event=False)
    ours.make_offer()
    plan = ours.receive_answer(sdp(AUDIO))
    assert (plan.telephone_event_send, plan.telephone_event_receive) == (None, None)


@pytest.mark.parametrize(
    ("wish", "theirs", "sends", "receives"),
    [
        (Direction.SENDRECV, "", True, True),
        (Direction.SENDRECV, "a=sendrecv\r\n", True, True),
        (Direction.SENDRECV, "a=sendonly\r\n", False, True),
        (Direction.SENDRECV, "a=recvonly\r\n", True, False),
        (Direction.SENDRECV, "a=inactive\r\n", False, False),
        (Direction.SENDONLY, "a=recvonly\r\n", True, False),
        (Direction.SENDONLY, "a=sendrecv\r\n", True, False),
        (Direction.RECVONLY, "a=sendonly\r\n", False, True),
        (Direction.INACTIVE, "a=sendrecv\r\n", False, False),
    ],
)
def test_the_flows_are_what_both_sides_want(negotiation, wish, theirs, sends, receives):
    ours = negotiation()
    ours.make_offer(wish)
    plan = ours.receive_answer(sdp(AUDIO, theirs))
    assert (plan.sends, plan.receives) == (sends, receives)


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (sdp("m=audio 0 RTP/AVP 0\r\n"), 488),
        (sdp("m=audio 5000 RTP/AVP 18\r\n"), 488),
        (sdp("m=audio 5000 RTP/AVP 101\r\n" + EVENTS), 488),
        (sdp("m=audio 5000 RTP/SAVP 0\r\n"), 488),
        (sdp("m=video 5000 RTP/AVP 0\r\n"), 488),
        (sdp(), 400),
        (sdp(AUDIO, AUDIO), 400),
        (b"hello", 400),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_and_the_offer_stays_open(
    negotiation, answer, status
):
    ours = negotiation()
    ours.make_offer()
    with pytest.raises(SdpError) as caught:
        ours.receive_answer(answer)
    assert caught.value.status_hint == status
    assert (ours.state, ours.plan) == (State.OFFER_SENT, None)
    assert ours.receive_answer(sdp(AUDIO)).codec == "PCMU"


def test_the_answer_of_another_fork_replaces_that_of_early_media(negotiation):
    ours = negotiation()
    ours.make_offer()
    assert ours.receive_answer(sdp("m=audio 5000 RTP/AVP 8\r\n")).codec == "PCMA"
    assert ours.receive_answer(sdp("m=audio 6000 RTP/AVP 0\r\n")).remote_rtp_port == 6000
    assert ours.plan.codec == "PCMU"


# Their offer ----------------------------------------------------------------------------------


def test_an_answer_names_one_codec_of_ours_and_the_events(negotiation):
    answer, plan = answer_to(
        negotiation(codecs=("PCMA", "PCMU")),
        "m=audio 30000 RTP/AVP 18 0 8 96\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-11\r\n",
    )
    assert lines(answer)[5:] == [
        "m=audio 20000 RTP/AVP 8 96",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:96 telephone-event/8000",
        "a=fmtp:96 0-15",
        "a=ptime:20",
        "a=sendrecv",
    ]
    assert (plan.codec, plan.send_payload_type, plan.receive_payload_type) == ("PCMA", 8, 8)
    assert (plan.telephone_event_send, plan.telephone_event_receive) == (96, 96)


def test_events_of_another_clock_are_not_ours(negotiation):
    _, plan = answer_to(
        negotiation(),
        "m=audio 5000 RTP/AVP 0 96 97\r\na=rtpmap:96 telephone-event/48000\r\n"
        "a=rtpmap:97 telephone-event/8000\r\n",
    )
    assert plan.telephone_event_send == 97


def test_a_codec_under_a_dynamic_payload_type_keeps_it_in_the_answer(negotiation):
    answer, plan = answer_to(negotiation(), "m=audio 5000 RTP/AVP 96\r\na=rtpmap:96 PCMU/8000\r\n")
    assert streams(answer) == [("audio", 20000, ("96",))]
    assert (plan.send_payload_type, plan.receive_payload_type) == (96, 96)


@pytest.mark.parametrize(
    "rtpmap",
    ["a=rtpmap:0 PCMA/8000", "a=rtpmap:0 PCMU/16000", "a=rtpmap:0 telephone-event/8000"],
)
def test_a_static_payload_type_with_another_meaning_is_left_alone(negotiation, rtpmap):
    answer, _ = answer_to(negotiation(), f"m=audio 5000 RTP/AVP 0 8\r\n{rtpmap}\r\n")
    assert streams(answer) == [("audio", 20000, ("8",))]


@pytest.mark.parametrize(
    "nonsense",
    ["a=rtpmap:", "a=rtpmap", "a=rtpmap:0", "a=rtpmap:x PCMU/8000", "a=rtpmap:999 PCMU/8000",
     "a=ptime:soon", "a=ptime:0", "a=maxptime", "a=rtcp:99999", "a=rtcp:", "a=fmtp"],
)  # fmt: skip
def test_attributes_that_make_no_sense_are_as_if_not_there(negotiation, nonsense):
    plain = answer_to(negotiation(), AUDIO)
    assert answer_to(negotiation(), AUDIO, nonsense + "\r\n") == plain


def test_the_first_usable_stream_is_taken_and_the_others_are_refused_in_place(negotiation):
    answer, plan = answer_to(
        negotiation(),
        "m=video 4000 RTP/AVP 31 32\r\na=rtpmap:31 H261/90000\r\n",
        "m=audio 0 RTP/AVP 0\r\n",
        "m=audio 4002 RTP/SAVP 0\r\n",
        "m=audio 4004 RTP/AVP 18\r\n",
        "m=audio 4006/2 RTP/AVP 0 8\r\n",
        "m=audio 4008 RTP/AVP 0\r\n",
        "m=image 4010 udptl t38\r\n",
    )
    assert streams(answer) == [
        ("video", 0, ("31", "32")),
        ("audio", 0, ("0",)),
        ("audio", 0, ("0",)),
        ("audio", 0, ("18",)),
        ("audio", 20000, ("0",)),
        ("audio", 0, ("0",)),
        ("image", 0, ("t38",)),
    ]
    assert [m.line.protocol for m in parse_sdp(answer).media][2] == "RTP/SAVP"
    assert plan.remote_rtp_port == 4006


@pytest.mark.parametrize(
    ("offer", "complaint"),
    [
        (sdp(), "no stream"),
        (sdp("m=video 4000 RTP/AVP 31\r\n"), "not audio"),
        (sdp("m=video 4000 RTP/AVP 31\r\n", "m=audio 5 RTP/SAVP 0\r\n"), "needs encryption"),
        (sdp("m=audio 5 UDP/TLS/RTP/SAVPF 0\r\n"), "needs encryption"),
        (sdp("m=audio 5 udp 0\r\n"), "not RTP"),
        (sdp("m=audio 5 RTP/AVP 3 18\r\n"), "no codec"),
        (sdp("m=audio 5 RTP/AVP 101\r\n" + EVENTS), "no codec"),
        (sdp("m=audio 0 RTP/AVP 0\r\n"), "switched off"),
        (sdp("m=audio 5 RTP/AVP 0\r\nc=IN IP4 host.example.com\r\n"), "numeric"),
        (sdp("m=audio 5 RTP/AVP 0\r\nc=IN IP4 233.252.0.1/127\r\n"), "numeric"),
        (sdp("m=audio 5 RTP/AVP 0\r\nc=IN IP4 233.252.0.1\r\n"), "group"),
        (sdp("m=audio 5 RTP/AVP 0\r\nc=IN IP4 255.255.255.255\r\n"), "group"),
        (sdp("m=audio 5 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n"), "no IPv4 address"),
        (sdp("m=audio 5 RTP/AVP 0\r\nc=ATM NSAP 47.0091\r\n"), "no IPv4 address"),
    ],
)
def test_an_offer_with_nothing_in_common_is_refused_with_488(negotiation, offer, complaint):
    ours = negotiation()
    with pytest.raises(SdpError, match=complaint) as caught:
        ours.receive_offer(offer)
    assert caught.value.status_hint == 488
    assert ours.state is State.NEW


@pytest.mark.parametrize(
    "offer",
    [
        b"",
        sdp("m=audio 5 RTP/AVP 0\r\nc=IN IP4 2001:db8::1\r\n"),
        sdp("m=audio 65535 RTP/AVP 0\r\n"),
    ],
)
def test_an_offer_that_contradicts_itself_is_refused_with_400(negotiation, offer):
    with pytest.raises(SdpError) as caught:
        negotiation().receive_offer(offer)
    assert caught.value.status_hint == 400


def test_the_address_of_the_stream_goes_before_that_of_the_session(negotiation):
    _, plan = answer_to(negotiation(), "m=audio 5000 RTP/AVP 0\r\nc=IN IP4 203.0.113.9\r\n")
    assert plan.remote_address == "203.0.113.9"


def test_an_ipv6_peer_is_understood(negotiation):
    ours = negotiation(local_address="2001:db8::1")
    ours.receive_offer(sdp("m=audio 5000 RTP/AVP 0\r\nc=IN IP6 2001:DB8:0:0::7\r\n"))
    answer, plan = ours.make_answer()
    assert plan.remote_address == "2001:db8::7"
    assert "c=IN IP6 2001:db8::1" in lines(answer)


def test_feedback_profile_is_answered_in_kind(negotiation):
    answer, _ = answer_to(negotiation(), "m=audio 5000 RTP/AVPF 0\r\n")
    assert parse_sdp(answer).media[0].line.protocol == "RTP/AVPF"


def test_the_time_of_the_offer_is_answered_unchanged(negotiation):
    ours = negotiation()
    times = "t=3034423619 3042462419\r\nr=7d 1h 0 25h\r\n"
    ours.receive_offer(sdp(AUDIO, session=SESSION.replace("t=0 0\r\n", times)))
    assert times.encode() in ours.make_answer()[0]


# Directions and hold --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "ours_wish", "answered"),
    [
        ("sendrecv", Direction.SENDRECV, Direction.SENDRECV),
        ("sendrecv", Direction.SENDONLY, Direction.SENDONLY),
        ("sendrecv", Direction.INACTIVE, Direction.INACTIVE),
        ("sendonly", Direction.SENDRECV, Direction.RECVONLY),
        ("sendonly", Direction.SENDONLY, Direction.INACTIVE),
        ("recvonly", Direction.SENDRECV, Direction.SENDONLY),
        ("recvonly", Direction.RECVONLY, Direction.INACTIVE),
        ("inactive", Direction.SENDRECV, Direction.INACTIVE),
    ],
)
def test_an_answer_wants_no_more_than_the_offer_allows(negotiation, theirs, ours_wish, answered):
    ours = negotiation()
    ours.receive_offer(sdp(AUDIO, f"a={theirs}\r\n"))
    answer, plan = ours.make_answer(ours_wish)
    assert lines(answer)[-1] == f"a={answered}"
    assert (plan.sends, plan.receives) == (answered.sends, answered.receives)


def test_a_direction_of_the_session_holds_for_a_stream_without_one(negotiation):
    session = SESSION + "a=sendonly\r\n"
    ours, other = negotiation(), negotiation()
    ours.receive_offer(sdp(AUDIO, session=session))
    other.receive_offer(sdp(AUDIO, "a=inactive\r\n", session=session))
    assert lines(ours.make_answer()[0])[-1] == "a=recvonly"
    assert lines(other.make_answer()[0])[-1] == "a=inactive"


@pytest.mark.parametrize("address", ["0.0.0.0", "held.invalid", "x.INVALID."])
def test_hold_by_an_address_that_is_none_stops_sending_and_keeps_the_direction_rules(
    negotiation, address
):
    answer, plan = answer_to(negotiation(), f"m=audio 5000 RTP/AVP 0\r\nc=IN IP4 {address}\r\n")
    assert lines(answer)[-1] == "a=sendrecv"
    assert (plan.remote_address, plan.sends, plan.receives) == ("0.0.0.0", False, True)


def test_hold_by_the_ipv6_unspecified_address_is_understood(negotiation):
    ours = negotiation(local_address="2001:db8::1")
    ours.receive_offer(sdp("m=audio 5000 RTP/AVP 0\r\nc=IN IP6 ::\r\n"))
    assert ours.make_answer()[1].sends is False


def test_who_was_put_on_hold_does_not_offer_hold_afterwards(negotiation):
    ours = negotiation()
    answer_to(ours, AUDIO)
    answer, plan = answer_to(ours, AUDIO, "a=sendonly\r\n")
    assert lines(answer)[-1] == "a=recvonly"
    assert plan.sends is False
    assert lines(ours.make_offer())[-1] == "a=sendrecv"


def test_our_hold_lasts_through_offers_of_the_peer_until_we_lift_it(negotiation):
    ours = negotiation()
    ours.make_offer()
    ours.receive_answer(sdp(AUDIO))
    assert lines(ours.make_offer(Direction.SENDONLY))[-1] == "a=sendonly"
    ours.receive_answer(sdp(AUDIO, "a=recvonly\r\n"))
    answer, plan = answer_to(ours, AUDIO)
    assert lines(answer)[-1] == "a=sendonly"
    assert (plan.sends, plan.receives) == (True, False)
    assert lines(ours.make_offer(Direction.SENDRECV))[-1] == "a=sendrecv"
    assert ours.receive_answer(sdp(AUDIO)).receives is True


# Packet time and RTCP -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "ptime_ms"),
    [
        ("", 20),
        ("a=ptime:20\r\n", 20),
        ("a=ptime:40\r\n", 40),
        ("a=ptime:30\r\n", 20),
        ("a=ptime:60.0\r\n", 60),
        ("a=ptime:10\r\n", 20),
        ("a=ptime:200\r\n", 60),
        ("a=ptime:60\r\na=maxptime:40\r\n", 40),
        ("a=maxptime:150\r\n", 20),
    ],
)
def test_packets_hold_what_the_peer_wants_as_far_as_the_engine_can(
    negotiation, attributes, ptime_ms
):
    assert answer_to(negotiation(), AUDIO, attributes)[1].ptime_ms == ptime_ms


@pytest.mark.parametrize(
    ("attributes", "rtcp_port", "mux"),
    [
        ("", 30001, False),
        ("a=rtcp:53020\r\n", 53020, False),
        ("a=rtcp:53020 IN IP4 198.51.100.7\r\n", 53020, False),
        ("a=rtcp-mux\r\n", 30000, True),
        ("a=rtcp:53020\r\na=rtcp-mux\r\n", 30000, True),
    ],
)
def test_reports_go_where_the_peer_says(negotiation, attributes, rtcp_port, mux):
    answer, plan = answer_to(negotiation(), AUDIO, attributes)
    assert (plan.remote_rtcp_port, plan.rtcp_mux) == (rtcp_port, mux)
    assert (b"a=rtcp-mux" in answer) is mux


def test_one_port_for_all_is_refused_when_a_payload_type_looks_like_rtcp(negotiation):
    offer = "m=audio 30000 RTP/AVP 72\r\na=rtpmap:72 PCMU/8000\r\na=rtcp-mux\r\n"
    answer, plan = answer_to(negotiation(), offer)
    assert plan.rtcp_mux is False
    assert b"rtcp-mux" not in answer


def test_one_port_that_nobody_offered_is_not_used(negotiation):
    ours = negotiation()
    ours.make_offer()
    assert ours.receive_answer(sdp(AUDIO, "a=rtcp-mux\r\n")).rtcp_mux is False


def test_one_port_once_agreed_on_is_offered_again(negotiation):
    ours = negotiation()
    answer_to(ours, AUDIO, "a=rtcp-mux\r\n")
    assert b"a=rtcp-mux" in ours.make_offer()
    assert ours.receive_answer(sdp(AUDIO, "a=rtcp-mux\r\n")).rtcp_mux is True
    ours.make_offer()
    assert ours.receive_answer(sdp(AUDIO)).rtcp_mux is False


# Re-offers, versions, rollback ----------------------------------------------------------------


def test_an_unchanged_description_keeps_its_version_and_a_changed_one_counts_up(negotiation):
    ours = negotiation()
    first = ours.make_offer()
    ours.receive_answer(sdp(AUDIO))
    same = ours.make_offer()
    ours.receive_answer(sdp(AUDIO))
    hold = ours.make_offer(Direction.SENDONLY)
    assert same == first
    assert [version(first), version(hold)] == [1, 2]
    assert parse_sdp(hold).origin.session_id == parse_sdp(first).origin.session_id


def test_the_same_offer_gets_the_same_answer(negotiation):
    ours = negotiation()
    assert answer_to(ours, AUDIO)[0] == answer_to(ours, AUDIO)[0]


def test_refused_streams_keep_their_place_in_our_own_offers(negotiation):
    ours = negotiation()
    answer_to(ours, "m=video 4000 RTP/AVP 31\r\n", "m=audio 4002 RTP/AVPF 0\r\n")
    offer = ours.make_offer()
    assert streams(offer) == [("video", 0, ("31",)), ("audio", 20000, ("0", "8", "101"))]
    assert parse_sdp(offer).media[1].line.protocol == "RTP/AVPF"
    plan = ours.receive_answer(sdp("m=video 0 RTP/AVP 31\r\n", "m=audio 4002 RTP/AVPF 8\r\n"))
    assert plan.codec == "PCMA"


def test_the_stream_in_use_is_kept_when_the_peer_adds_one_before_it(negotiation):
    ours = negotiation()
    answer_to(ours, "m=audio 0 RTP/AVP 0\r\n", "m=audio 4002 RTP/AVP 0\r\n")
    _, plan = answer_to(ours, "m=audio 4000 RTP/AVP 0\r\n", "m=audio 4002 RTP/AVP 0\r\n")
    assert plan.remote_rtp_port == 4002
    _, plan = answer_to(ours, "m=audio 4000 RTP/AVP 0\r\n", "m=audio 0 RTP/AVP 0\r\n")
    assert plan.remote_rtp_port == 4000


def test_a_payload_type_never_changes_its_meaning_in_a_session(negotiation):
    ours = negotiation()
    answer_to(
        ours,
        "m=audio 5000 RTP/AVP 97 101 102\r\na=rtpmap:97 PCMA/8000\r\n"
        "a=rtpmap:101 G726-32/8000\r\na=rtpmap:102 telephone-event/8000\r\n",
    )
    assert streams(ours.make_offer()) == [("audio", 20000, ("0", "97", "102"))]


def test_events_get_a_payload_type_the_peer_has_not_used_otherwise(negotiation):
    ours = negotiation()
    answer_to(ours, "m=audio 5000 RTP/AVP 0 101\r\na=rtpmap:101 G726-32/8000\r\n")
    assert streams(ours.make_offer()) == [("audio", 20000, ("0", "8", "96"))]


def test_events_are_left_out_when_the_peer_has_used_every_dynamic_payload_type(negotiation):
    ours = negotiation()
    answer_to(ours, f"m=audio 5000 RTP/AVP 0 {' '.join(map(str, range(96, 128)))}\r\n")
    assert streams(ours.make_offer()) == [("audio", 20000, ("0", "8"))]


def test_a_refused_offer_of_ours_changes_nothing_but_the_version(negotiation):
    ours = negotiation()
    ours.make_offer()
    plan = ours.receive_answer(sdp(AUDIO))
    refused = ours.make_offer(Direction.INACTIVE)
    ours.roll_back()
    assert (ours.state, ours.plan) == (State.SETTLED, plan)
    again = ours.make_offer()
    assert lines(again)[-1] == "a=sendrecv"
    assert (version(refused), version(again)) == (2, 3)


def test_an_offer_of_the_peer_that_we_refuse_changes_nothing(negotiation):
    ours = negotiation()
    _, plan = answer_to(ours, AUDIO)
    ours.receive_offer(sdp(AUDIO.replace("30000", "40000")))
    ours.roll_back()
    with pytest.raises(SdpError):
        ours.receive_offer(sdp("m=audio 5000 RTP/SAVP 0\r\n"))
    assert (ours.state, ours.plan) == (State.SETTLED, plan)


def test_a_late_offer_is_ours_and_the_answer_comes_with_the_ack(negotiation):
    ours, theirs = negotiation(), negotiation(local_address="192.0.2.2", codecs=("PCMA",))
    offer = ours.make_offer()
    theirs.receive_offer(offer)
    answer, their_plan = theirs.make_answer()
    our_plan = ours.receive_answer(answer)
    assert our_plan.codec == their_plan.codec == "PCMA"


def test_crossing_offers_are_glare(negotiation):
    ours = negotiation()
    answer_to(ours, AUDIO)
    ours.make_offer()
    with pytest.raises(SdpError) as caught:
        ours.receive_offer(sdp(AUDIO))
    assert caught.value.status_hint == 491
    assert ours.state is State.REOFFER_SENT


def test_an_answer_nobody_asked_for_is_refused(negotiation):
    ours = negotiation()
    answer_to(ours, AUDIO)
    with pytest.raises(SdpError):
        ours.receive_answer(sdp(AUDIO))


@pytest.mark.parametrize(
    "wrong",
    [
        {"codecs": ()},
        {"codecs": ("PCMU", "PCMU")},
        {"codecs": ("G729",)},
        {"local_rtp_port": 0},
        {"local_rtp_port": 65535},
        {"ptime_ms": 25},
        {"session_id": -1},
        {"session_id": 2**63},
        {"local_address": "example.com"},
    ],
)
def test_impossible_settings_are_refused_at_once(negotiation, wrong):
    with pytest.raises(ValueError, match=r".+"):
        negotiation(**wrong)


# Properties -----------------------------------------------------------------------------------

DIRECTIONS = st.sampled_from(Direction)
NEGOTIATIONS = st.builds(
    AudioNegotiation,
    local_address=st.sampled_from(["192.0.2.1", "198.51.100.2"]),
    local_rtp_port=st.integers(1, 32766).map(lambda half: half * 2),
    codecs=st.permutations(["PCMU", "PCMA"]).flatmap(
        lambda order: st.sampled_from([tuple(order), ("PCMU", "PCMA")])
    ),
    session_id=st.integers(0, 2**63 - 1),
    ptime_ms=st.sampled_from([20, 40, 60]),
    telephone_event=st.booleans(),
)


def assert_mirrored(ours: AudioPlan, theirs: AudioPlan) -> None:
    assert ours.codec == theirs.codec
    assert ours.sends == theirs.receives
    assert ours.receives == theirs.sends
    assert ours.send_payload_type == theirs.receive_payload_type
    assert ours.receive_payload_type == theirs.send_payload_type
    assert ours.telephone_event_send == theirs.telephone_event_receive
    assert ours.telephone_event_receive == theirs.telephone_event_send
    assert ours.rtcp_mux == theirs.rtcp_mux


@given(NEGOTIATIONS, NEGOTIATIONS, st.lists(st.tuples(st.booleans(), DIRECTIONS, DIRECTIONS)))
def test_two_of_us_always_agree_whoever_offers(alice, bob, exchanges):
    for alice_offers, wish, reply in [(True, Direction.SENDRECV, Direction.SENDRECV), *exchanges]:
        offerer, answerer = (alice, bob) if alice_offers else (bob, alice)
        answerer.receive_offer(offerer.make_offer(wish))
        answer, answerer_plan = answerer.make_answer(reply)
        assert_mirrored(offerer.receive_answer(answer), answerer_plan)


HOSTILE_SECTIONS = st.lists(
    st.sampled_from(
        [
            AUDIO,
            "m=audio 5000 RTP/AVPF 8 0\r\na=rtcp-mux\r\n",
            "m=audio 5000 RTP/AVP 96 0\r\na=rtpmap:96 PCMU/8000\r\na=inactive\r\n",
            "m=video 6000 RTP/AVP 31\r\n",
            "m=audio 0 RTP/AVP 0\r\n",
            "m=audio 65535 RTP/AVP 0\r\n",
            "m=audio 7000 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n",
            "m=audio 7000 RTP/AVP 0\r\nc=IN IP4 nowhere\r\n",
            "garbage\r\n",
        ]
    ),
    max_size=3,
).map(lambda sections: sdp(*sections))


def apply(ours: AudioNegotiation, what: Input, data: bytes, wish: Direction) -> object:
    match what:
        case Input.MAKE_OFFER:
            return ours.make_offer(wish)
        case Input.RECEIVE_ANSWER:
            return ours.receive_answer(data)
        case Input.RECEIVE_OFFER:
            return ours.receive_offer(data)
        case Input.MAKE_ANSWER:
            return ours.make_answer(wish)
        case Input.ROLL_BACK:
            return ours.roll_back()


@given(
    NEGOTIATIONS,
    st.lists(st.tuples(st.sampled_from(Input), HOSTILE_SECTIONS, DIRECTIONS), max_size=25),
)
def test_any_order_of_inputs_follows_the_table_and_raises_only_protocol_errors(ours, inputs):
    sent: list[bytes] = []
    for what, data, wish in inputs:
        before, plan = ours.state, ours.plan
        try:
            result = apply(ours, what, data, wish)
        except (SdpError, LocalProtocolError):
            assert (ours.state, ours.plan) == (before, plan)
        else:
            assert (before, what) not in REFUSALS
            assert ours.state is TRANSITIONS[before, what]
            sent += [result] if what is Input.MAKE_OFFER else []
            sent += [result[0]] if what is Input.MAKE_ANSWER else []
    assert_versions_tell_descriptions_apart(sent)


def assert_versions_tell_descriptions_apart(sent: list[bytes]) -> None:
    for one, other in pairwise(sent):
        assert version(other) - version(one) == (0 if one == other else 1)


@given(st.binary(max_size=200))
def test_no_bytes_of_the_peer_raise_anything_but_sdp_errors(data):
    ours = AudioNegotiation(
        local_address="192.0.2.1", local_rtp_port=20000, codecs=("PCMU",), session_id=1
    )
    with pytest.raises(SdpError):
        ours.receive_offer(b"v=0\r\n" + data)
