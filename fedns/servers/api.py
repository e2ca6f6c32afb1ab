"""The shapes of the admin API: what it says, and what the command line and the console read.

Law: plain values and no behaviour; times are Unix seconds, and `age` is seconds before `at` of the
answer. The OpenAPI description is made from these structs, so it cannot drift from them.
"""

from msgspec import Struct


class Evidence(Struct, frozen=True):
    """One fact about health: `kind` operator, readiness, probe, passive, nodes or reachability."""

    kind: str
    says: str
    detail: str
    age: float


class Shard(Struct, frozen=True):
    """One member's part of a service and its verdict. `age`: seconds in this state."""

    service: str
    member: str
    region: str
    zones: list[str]
    state: str
    reason: str
    since: float
    age: float
    held_until: float
    pending: str
    flaps: int
    addresses: list[str]
    hostnames: list[str]
    endpoints_ready: int | None
    endpoints_total: int | None
    evidence: list[Evidence]


class Service(Struct, frozen=True):
    """A federated service. `serving` counts shards that may be answered; `last_good` served last."""

    service: str
    strategy: str
    on_all_unhealthy: str
    serving: int
    total: int
    states: dict[str, int]
    last_good: list[str]
    declared: bool


class Watch(Struct, frozen=True):
    """One resource of a member's API server: how many objects are known, seconds since the last whole list
    (`synced`) and since the last word (`heard`; null: never), lists read, errors by kind. `off`: the refusal
    that switched it off; `trouble`: why it does not go on just now."""

    resource: str
    objects: int
    synced: float | None
    heard: float | None
    lists: int
    errors: dict[str, int]
    off: str
    trouble: str


class Member(Struct, frozen=True):
    """A cluster. `api` is its API's reachability, `age` how long ago its facts were last read; `watches` are
    those on its API server, if it has one."""

    name: str
    region: str
    zones: list[str]
    labels: dict[str, str]
    api: str
    api_since: float
    age: float | None
    shards: int
    states: dict[str, int]
    nodes_ready: int
    nodes_total: int
    watches: list[Watch] = []


class Problem(Struct, frozen=True):
    """Bad input in force: `source` is what read it (`member:NAME`, `fleet`, `zones`, `config`), `severity`
    `error`, or `warning` of what counts as it is."""

    source: str
    where: str
    what: str
    hint: str
    severity: str = "error"


class Farewell(Struct, frozen=True):
    """Whether clients may still come to what was taken out: in so many `seconds` no cache remembers it
    (0: now; null: clients of `services`, `count` of them, are sent there, for nobody else can serve them).
    `workers` still have an older table."""

    seconds: float | None
    services: list[str]
    count: int
    workers: list[str]


class Order(Struct, frozen=True):
    """An operator's word (`up`, `down`, `drain`) in force until `until` (null: until taken back). One
    that takes out has a `farewell`."""

    target: str
    word: str
    issued: float
    until: float | None
    reason: str
    farewell: Farewell | None = None


class Copy(Struct, frozen=True):
    """An object of the fleet in one member. `state`: applied, waiting, drifted, failing, stopped (it is to be
    left alone), removing, leaving (it becomes nobody's), held (its removal waits: for its clients, or for a
    word); `what`: why, or the API server's words; `since` when it stands so (null: it is as it should be, or
    not known); `hint`: what to do about it."""

    member: str
    kind: str
    object: str
    policy: str
    state: str
    what: str
    since: float | None = None
    hint: str = ""


class Portion(Struct, frozen=True):
    """The copies of one policy in one member: how many there are to be, and how many stand how."""

    policy: str
    member: str
    desired: int
    states: dict[str, int]


class Whereabouts(Struct, frozen=True):
    """An object of the fleet and one member (empty: no member gets it). `place`: the file:line of its policy;
    `why` it goes there, or the first condition that stopped it; `state` (empty: no copy is to be there),
    `what`, `since` and `hint` of its copy. `ready`: whether one that is applied does what it is to do, by its
    own status (null: not known, or its kind has none)."""

    kind: str
    object: str
    member: str
    policy: str
    place: str
    why: list[str]
    state: str
    what: str
    since: float | None
    hint: str = ""
    ready: bool | None = None


class Consent(Struct, frozen=True, forbid_unknown_fields=True):
    """What waits to be removed from a member may go."""

    member: str


class Allowed(Struct, frozen=True):
    member: str
    removals: int


class NewOrder(Struct, frozen=True, forbid_unknown_fields=True):
    """`seconds`: how long it holds (null: until taken back)."""

    target: str
    word: str
    seconds: float | None = None
    reason: str = ""


class Key(Struct, frozen=True):
    """A key of a signed zone. `until`: when its state ends by itself (null: something must happen first)."""

    tag: int
    role: str
    algorithm: str
    state: str
    since: float
    until: float | None


class Step(Struct, frozen=True):
    """What comes next to keys; `at` null: when somebody acts."""

    at: float | None
    what: str


class Signed(Struct, frozen=True):
    """A signed zone. `expires`: when the signatures over its key sets do, which are renewed long before."""

    zone: str
    keys: list[Key]
    next: list[Step]
    expires: float


class Table(Struct, frozen=True):
    """The published answers: generation, how old, and the size in names (null: not counted)."""

    generation: int
    published: float
    age: float
    names: int | None = None


class Secondary(Struct, frozen=True):
    """Who copied a zone last. `behind`: serials between that copy and what is served now (null: the zone is
    not served any more); `kind`: axfr, ixfr, soa where there was nothing new, or whole for
    an IXFR that the journal did not reach back for."""

    address: str
    zone: str
    serial: int
    behind: int | None
    kind: str
    age: float


class Writer(Struct, frozen=True):
    """Who writes to the fleet: `process` is this one, `holder` has the Lease (empty: nobody), `held` says
    whether that is this process and still counts, `transitions` how often it changed hands. `off`: the
    refusal that keeps this process from taking part; `trouble`: why it does not go on just now. `written` and
    `failed` count this process' writes."""

    process: str
    holder: str
    held: bool
    transitions: int
    off: str
    trouble: str
    written: int
    failed: int


class Importer(Struct, frozen=True):
    """Who writes imports of the cluster set to a member. `held`: whether this process has that member's own
    Lease (null: that of the fleet counts). `written`, `removed` and `failed` count this process' writes."""

    member: str
    held: bool | None
    written: int
    removed: int
    failed: int


class Status(Struct, frozen=True):
    """The whole at a glance. `ready` is empty when queries can be answered, else it says why not; `fleet`:
    what is watched on the fleet's API server; `writer` is null where nothing is written there, `importers` is
    empty where nothing is written to members."""

    version: str
    config: str
    federation: str
    domain: str
    at: float
    started: float
    ready: str
    table: Table
    members: int
    services: int
    shards: dict[str, int]
    problems: int
    orders: int
    secondaries: list[Secondary] = []
    fleet: list[Watch] = []
    writer: Writer | None = None
    importers: list[Importer] = []


class Page(Struct, frozen=True):
    """What lists have in common: `truncated` when more matched than `limit`."""

    at: float
    truncated: bool


class Members(Page, frozen=True):
    items: list[Member]


class Services(Page, frozen=True):
    items: list[Service]


class Shards(Page, frozen=True):
    items: list[Shard]


class Problems(Page, frozen=True):
    items: list[Problem]


class Copies(Page, frozen=True):
    items: list[Copy]


class Portions(Page, frozen=True):
    items: list[Portion]


class AllWhereabouts(Page, frozen=True):
    items: list[Whereabouts]


class Orders(Page, frozen=True):
    items: list[Order]


class SignedZones(Page, frozen=True):
    items: list[Signed]


class Fault(Struct, frozen=True):
    """Any answer of status 400 and above."""

    error: str
