"""An answered call: what it does with media events, re-INVITEs and the commands of the API."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from orbit_voice.calls import endings
from orbit_voice.calls.call import Call, wrong_state
from orbit_voice.calls.commands import (
    Accept,
    Command,
    Decline,
    HangUp,
    Message,
    PlayFiles,
    SendDtmf,
    StopPlaying,
)
from orbit_voice.calls.endings import Ending, Limit
from orbit_voice.calls.leg_states import LegInput
from orbit_voice.calls.recording import CallRecording
from orbit_voice.calls.records import CallStatus, Direction, Hangup, HangupBy
from orbit_voice.calls.states import CallInput
from orbit_voice.calls.timeline import EventType
from orbit_voice.kit.errors import CallError, ErrorCode, HangupCause
from orbit_voice.media.errors import MediaError
from orbit_voice.media.events import (
    DtmfReceived,
    DtmfSent,
    MediaTimedOut,
    PlayFinished,
    RecordingFailed,
    RecordingFinished,
)
from orbit_voice.sdp.errors import SdpError
from orbit_voice.signaling.events import (
    Acknowledged,
    Ended,
    Failed,
    OfferAccepted,
    Offered,
    Rejected,
)


def begin(call: Call) -> None:
    """Start what an answered call has: its longest duration, and its recording if wanted."""
    call.arm(Limit.MAX_DURATION, call.record.max_duration_s)
    if call.record.record:
        _start_recording(call, call.record.answered_at or call.record.created_at)


async def take(call: Call, message: Message) -> None:
    """Take a message of an answered call."""
    assert call.leg is not None
    match message:
        case Ended(remote, reason, _):
            call.leg.take(LegInput.SESSION_OVER)
            await call.end(_of_bye(call, reason) if remote else _of_lost_dialog())
        case Rejected() | Failed():
            call.leg.take(LegInput.SESSION_OVER)
            await call.end(_of_lost_dialog())
        case Offered(sdp):
            call.leg.take_reoffer(sdp)
        case Acknowledged(sdp) | OfferAccepted(sdp):
            await _take_late_answer(call, sdp)
        case MediaTimedOut():
            await call.end(endings.by_limit(Limit.MEDIA_TIMEOUT))
        case DtmfReceived(digit, duration_ms):
            call.note(EventType.DTMF, digit=digit, duration_ms=duration_ms)
            await call.write()
        case DtmfSent(digits):
            call.note(EventType.DTMF_SENT, digits=digits)
            await call.write()
        case PlayFinished(play_id, completed):
            call.note(EventType.PLAYBACK_FINISHED, play_id=play_id, completed=completed)
            await call.write()
        case RecordingFinished() | RecordingFailed():
            call.finish_recording(message)
            await call.write()
        case _:
            pass


async def obey(call: Call, command: Command) -> None:
    """Do what was asked of a call in any status.

    Raises:
        CallError: ``CONFLICT``: only an answered call can do that.
    """
    if isinstance(command, HangUp):
        await call.end(command.ending)
        return
    if isinstance(command, Accept | Decline):
        raise wrong_state(call.record, "an inbound call that waits to be accepted")
    if call.record.status is not CallStatus.IN_PROGRESS:
        raise wrong_state(call.record, CallStatus.IN_PROGRESS.value)
    await _control_audio(call, command)


async def _control_audio(call: Call, command: PlayFiles | StopPlaying | SendDtmf) -> None:
    assert call.leg is not None
    stream = call.leg.stream
    match command:
        case PlayFiles(files, loop):
            try:
                play_id = stream.play(files, loop=loop)
            except MediaError as error:
                raise CallError(ErrorCode.VALIDATION_ERROR, str(error)) from error
            call.note(EventType.PLAYBACK_STARTED, play_id=play_id)
            await call.write()
        case StopPlaying():
            stream.stop_playing()
        case SendDtmf(digits):
            _send_digits(call, digits)


def _send_digits(call: Call, digits: str) -> None:
    assert call.leg is not None
    plan = call.leg.plan
    if plan is None or plan.telephone_event_send is None:
        message = "The far end does not take telephone-event (RFC 4733), so digits cannot be sent."
        raise CallError(ErrorCode.CONFLICT, message, details={"field": "digits"})
    call.leg.stream.send_dtmf(digits)


def _start_recording(call: Call, at: datetime) -> None:
    assert call.leg is not None
    recording = CallRecording(call.facilities.recordings, at)
    call.recording = recording
    call.record = replace(call.record, recording=recording.recording)
    try:
        recording.start(call.leg.stream)
    except (OSError, MediaError) as error:
        path = call.facilities.recordings / recording.recording.path
        call.finish_recording(RecordingFailed(path, str(error)))


async def _take_late_answer(call: Call, sdp: bytes | None) -> None:
    """The ACK carries the answer to an offer in our 2xx, the first one or that to a re-INVITE
    without SDP (RFC 3264 §5, RFC 3261 §13.2.2.4, §14.2).
    """
    assert call.leg is not None
    if sdp is None:
        return
    try:
        call.leg.take_answer(sdp)
    except SdpError as error:
        await call.end(endings.of_bad_media(str(error)))


def _of_bye(call: Call, reason: str | None) -> Ending:
    outbound = call.record.direction is Direction.OUTBOUND
    return endings.by_party(HangupBy.CALLEE if outbound else HangupBy.CALLER, reason)


def _of_lost_dialog() -> Ending:
    message = "The far end stopped answering SIP requests of the call."
    hangup = Hangup(HangupBy.SYSTEM, HangupCause.SIP_TIMEOUT, None, None, message)
    return Ending(CallInput.FAILED, hangup)
