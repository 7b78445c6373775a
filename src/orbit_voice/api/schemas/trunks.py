"""Trunks: what makes and changes one, how it is shown (API contract §3).

This release speaks UDP and TCP without encryption. What the contract has beyond that is refused in
words rather than ignored: nobody should believe a trunk encrypted that is not.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from pydantic import AfterValidator, AliasChoices, ConfigDict, Field, model_validator

from orbit_voice.api.schemas.common import Answer, RequestBody, without_nulls
from orbit_voice.api.schemas.fields import (
    Expected,
    Flag,
    Line,
    SipAddress,
    one_of,
    read_sip_uri,
    whole_number,
    wrong,
)
from orbit_voice.kit.clock import iso_utc
from orbit_voice.trunks.records import Encryption, Transport, Trunk

MAX_INBOUND_URIS: Final = 50
MAX_PRIORITY: Final = 65_535

NOT_SERVED: Final[dict[str, tuple[Any, ...]]] = {
    "register": (False,),
    "caller_id_format": ("e164",),
    "max_concurrent_calls": (),
    "max_cps": (),
    "weight": (),
    "destinations": (),
    "options_ping_seconds": (),
    "tls_ca": (),
    "tls_verify": (True,),
    "dtmf": ("rfc4733",),
}
"""Fields of the contract that this release does not serve, each with the values that say what the
release does anyway and so may be sent."""

ALIASES: Final = {
    "outbound_uri": "sip_uri",
    "username": "auth_username",
    "password": "auth_password",
}
"""Other names that existing clients use (API contract §3)."""

_CREDENTIAL: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,255}")
_SOURCE: Final = (
    "an IP address, a CIDR range or a sip: URI with an IP address as host (names are not resolved: "
    "calls are matched by the address they come from)"
)
_NO_ENCRYPTION: Final = (
    "This release serves trunks without encryption only, while the default of `encryption` is "
    '`tls_srtp`: state `"encryption": "none"` if signalling and audio may travel in clear.'
)


def _check_source(text: str) -> str:
    uri = read_sip_uri(text)
    try:
        ipaddress.ip_network(text if uri is None else uri.host.strip("[]"), strict=False)
    except ValueError:
        raise wrong(_SOURCE) from None
    return text if uri is None else text[:4].lower() + text[4:]


def _check_credential(text: str) -> str:
    if not _CREDENTIAL.fullmatch(text):
        raise wrong()
    return text


def _check_codecs(codecs: list[str]) -> list[str]:
    if len(set(codecs)) < len(codecs):
        raise wrong()
    return codecs


Credential: TypeAlias = Annotated[
    str,
    AfterValidator(_check_credential),
    Expected("a text of 1 to 255 characters without control characters"),
]
OutboundUri: TypeAlias = Annotated[
    SipAddress,
    Field(
        validation_alias=AliasChoices("outbound_uri", ALIASES["outbound_uri"]),
        description="Where calls are sent.",
    ),
]
EncryptionMode: TypeAlias = Annotated[
    Literal["none"],
    Expected('"none": this release does not serve tls and tls_srtp'),
    Field(description="`none` is the only one this release serves; it has to be stated."),
]
_UNSET: Final[Any] = None
"""Default of fields whose absence means “leave it as it is”; ``model_fields_set`` tells."""


class TrunkFields(RequestBody):
    """What both requests share; a field that is not given keeps its value or its default."""

    secret_fields: ClassVar[frozenset[str]] = frozenset({"password", ALIASES["password"]})

    inbound_uris: Annotated[
        list[Annotated[str, AfterValidator(_check_source)]],
        Field(max_length=MAX_INBOUND_URIS, description="Who may send us calls, by source address."),
        Expected(f"a list of at most {MAX_INBOUND_URIS}, each {_SOURCE}"),
    ] = _UNSET
    username: Annotated[
        Credential | None,
        Field(
            validation_alias=AliasChoices("username", ALIASES["username"]),
            description="Digest user name.",
        ),
        Expected("a text of 1 to 255 characters without control characters"),
    ] = _UNSET
    password: Annotated[
        Credential | None,
        Field(
            validation_alias=AliasChoices("password", ALIASES["password"]),
            description="Digest password; never shown again.",
            json_schema_extra={"writeOnly": True},
        ),
        Expected("a text of 1 to 255 characters without control characters"),
    ] = _UNSET
    realm: Annotated[
        Credential | None,
        Field(description="Realm the credentials are for; any if left out."),
        Expected("a text of 1 to 255 characters without control characters"),
    ] = _UNSET
    codecs: Annotated[
        list[Literal["PCMU", "PCMA"]],
        AfterValidator(_check_codecs),
        Field(min_length=1, max_length=2, description="In order of preference."),
        Expected('a list of "PCMU" and "PCMA", each at most once: this release serves no others'),
    ] = _UNSET
    transport: Annotated[
        Literal["udp", "tcp"],
        Field(description="Taken from the URI, else udp."),
        one_of("udp", "tcp"),
    ] = _UNSET
    priority: Annotated[
        int,
        Field(ge=0, le=MAX_PRIORITY, description="Lower is tried first."),
        whole_number(0, MAX_PRIORITY),
    ] = _UNSET
    enabled: Annotated[Flag, Field(description="Whether calls may use it.")] = _UNSET

    @model_validator(mode="before")
    @classmethod
    def _check_names(cls, body: Any) -> Any:
        if not isinstance(body, dict):
            return body
        for name, alias in ALIASES.items():
            if name in body and alias in body:
                raise wrong(
                    f"left out when {name} is given",
                    field=alias,
                    value="",
                    message=f"`{alias}` is another name of `{name}`: give one of them.",
                )
        return {name: value for name, value in body.items() if not _is_harmless(name, value)}

    def changes(self) -> dict[str, Any]:
        """Return the fields that were given, as :class:`Trunk` has them."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        for name, make in _MAKERS.items():
            if name in given:
                given[name] = make(given[name])
        return given


_MAKERS: Final[dict[str, Any]] = {
    "inbound_uris": tuple,
    "codecs": tuple,
    "transport": Transport,
    "encryption": Encryption,
}


def _is_harmless(name: str, value: Any) -> bool:
    """Say whether a field may be dropped; refuse one that asks for what is not served."""
    if name not in NOT_SERVED:
        return False
    served = NOT_SERVED[name]
    if value is None or any(value is same or value == same for same in served):
        return True
    expected = f"left out or {served[0]!r}" if served else "left out"
    raise wrong(
        expected.replace("True", "true").replace("False", "false").replace("'", '"'),
        field=name,
        value=value,
        message=f"`{name}` is not served by this release: leave it out.",
    )


class CreateTrunk(TrunkFields):
    """A new trunk."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Carrier A",
                    "outbound_uri": "sip:sip.carrier.example:5060",
                    "inbound_uris": ["198.51.100.0/24"],
                    "username": "orbit",
                    "password": "correct horse battery staple",
                    "encryption": "none",
                }
            ]
        }
    )

    name: Annotated[Line, Field(description="What you call it.")]
    outbound_uri: OutboundUri
    encryption: EncryptionMode

    @model_validator(mode="before")
    @classmethod
    def _check_encryption(cls, body: Any) -> Any:
        if isinstance(body, dict) and body.get("encryption") is None:
            raise wrong('"none"', field="encryption", message=_NO_ENCRYPTION)
        return without_nulls(body)


class UpdateTrunk(TrunkFields):
    """Fields of a trunk to replace; null clears ``username``, ``password`` and ``realm``."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"priority": 10, "enabled": False}]})

    name: Annotated[Line, Field(description="What you call it.")] = _UNSET
    outbound_uri: OutboundUri = _UNSET
    encryption: EncryptionMode = _UNSET


class TrunkStatus(Answer):
    """How a trunk does."""

    state: Literal["active", "degraded", "unreachable", "unregistered"]
    last_sip_code: int | None
    checked_at: str | None
    registered_until: str | None
    active_calls: int


class TrunkAnswer(Answer):
    """A trunk. Its password is never shown."""

    id: str = Field(examples=["trk_01jd3r8m6k8v2t0q4x9w7z5y1b"])
    name: str
    outbound_uri: str
    inbound_uris: list[str]
    username: str | None
    codecs: list[str]
    encryption: Encryption
    transport: Transport
    realm: str | None
    priority: int
    enabled: bool
    status: TrunkStatus
    inbound_address: str = Field(description="Where the carrier sends calls to.")
    created_at: str
    updated_at: str


def show_trunk(trunk: Trunk, *, active_calls: int, inbound_address: str) -> dict[str, Any]:
    """Return a trunk as :class:`TrunkAnswer` describes it."""
    return {
        "id": trunk.id,
        "name": trunk.name,
        "outbound_uri": trunk.outbound_uri,
        "inbound_uris": trunk.inbound_uris,
        "username": trunk.username,
        "codecs": trunk.codecs,
        "encryption": trunk.encryption,
        "transport": trunk.transport,
        "realm": trunk.realm,
        "priority": trunk.priority,
        "enabled": trunk.enabled,
        "status": {
            "state": "active",
            "last_sip_code": None,
            "checked_at": None,
            "registered_until": None,
            "active_calls": active_calls,
        },
        "inbound_address": inbound_address,
        "created_at": iso_utc(trunk.created_at),
        "updated_at": iso_utc(trunk.updated_at),
    }
