"""Decodes pgoutput messages: PostgreSQL's logical replication protocol, version 1.

Format: PostgreSQL documentation, "Logical Replication Message Formats".
"""

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

POSTGRES_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """Operation on a row."""

    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


class Unchanged:
    """Type of `UNCHANGED`: a large (TOASTed) value that an update left alone and PostgreSQL does not send."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED = Unchanged()
Value = str | None | Unchanged
Row = dict[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Column of a relation; `in_key` if it is part of the replica identity."""

    name: str
    type_oid: int
    in_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """Table at the time of a change; `identity` is d(efault), n(othing), f(ull) or i(ndex)."""

    oid: int
    schema: str
    table: str
    identity: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Change of one row.

    Attributes:
        kind: the operation.
        relation: the table.
        new: values after the change in PostgreSQL's text format; None for a delete.
        old: the replica identity before the change, where PostgreSQL sends it.
        committed_at: time of the commit.
        position: LSN of the commit and number within the transaction; increases strictly along the log.
        transaction: lower 32 bits of the transaction id.
    """

    kind: Kind
    relation: Relation
    new: Row | None
    old: Row | None
    committed_at: datetime
    position: tuple[int, int]
    transaction: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """End of a transaction; `end` is the LSN behind it."""

    end: int


class Decoder:
    """Decodes the messages of one stream; remembers the relations that the stream has described."""

    def __init__(self) -> None:
        self._relations: dict[int, Relation] = {}
        self._committed_at = POSTGRES_EPOCH
        self._position = (0, 0)
        self._transaction = 0
        self.in_transaction = False

    def decode(self, data: bytes) -> Change | Commit | None:
        """Return the change or commit, None for other messages (begin, relation, type, origin, truncate)."""
        reader = _Reader(data, 1)
        match data[:1]:
            case b"B":
                self._position = (reader.int64(), 0)
                self.in_transaction = True
                self._committed_at = POSTGRES_EPOCH + timedelta(microseconds=reader.int64())
                self._transaction = reader.int32()
            case b"R":
                relation = _relation(reader)
                self._relations[relation.oid] = relation
            case b"I":
                relation = self._relations[reader.int32()]
                reader.byte()
                return self._change(Kind.INSERT, relation, reader.row(relation), None)
            case b"U":
                relation = self._relations[reader.int32()]
                old = None
                if (tag := reader.byte()) in (b"K", b"O"):
                    old = _identity(reader.row(relation), relation, whole=tag == b"O")
                    reader.byte()
                return self._change(Kind.UPDATE, relation, reader.row(relation), old)
            case b"D":
                relation = self._relations[reader.int32()]
                tag = reader.byte()
                old = _identity(reader.row(relation), relation, whole=tag == b"O")
                return self._change(Kind.DELETE, relation, None, old)
            case b"C":
                self.in_transaction = False
                reader.byte()
                reader.int64()
                return Commit(end=reader.int64())
        return None

    def _change(self, kind: Kind, relation: Relation, new: Row | None, old: Row | None) -> Change:
        commit, number = self._position
        self._position = (commit, number + 1)
        return Change(
            kind=kind,
            relation=relation,
            new=new,
            old=old,
            committed_at=self._committed_at,
            position=self._position,
            transaction=self._transaction,
        )


class _Reader:
    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position

    def byte(self) -> bytes:
        self._position += 1
        return self._data[self._position - 1 : self._position]

    def int16(self) -> int:
        return self._unpack(">H", 2)

    def int32(self) -> int:
        return self._unpack(">I", 4)

    def int64(self) -> int:
        return self._unpack(">q", 8)

    def string(self) -> str:
        end = self._data.index(b"\0", self._position)
        text = self._data[self._position : end].decode()
        self._position = end + 1
        return text

    def row(self, relation: Relation) -> Row:
        count = self.int16()
        return {column.name: self._value() for column in relation.columns[:count]}

    def _value(self) -> Value:
        match self.byte():
            case b"n":
                return None
            case b"u":
                return UNCHANGED
        size = self.int32()
        self._position += size
        return self._data[self._position - size : self._position].decode()

    def _unpack(self, form: str, size: int) -> int:
        (value,) = struct.unpack_from(form, self._data, self._position)
        self._position += size
        return int(value)


def _relation(reader: _Reader) -> Relation:
    oid, schema, table = reader.int32(), reader.string(), reader.string()
    identity = reader.byte().decode()
    columns = []
    for _ in range(reader.int16()):
        flags = reader.byte()
        name, type_oid = reader.string(), reader.int32()
        reader.int32()
        columns.append(Column(name=name, type_oid=type_oid, in_key=flags == b"\x01"))
    return Relation(oid=oid, schema=schema, table=table, identity=identity, columns=tuple(columns))


def _identity(row: Row, relation: Relation, *, whole: bool) -> Row:
    if whole:
        return row
    return {column.name: row[column.name] for column in relation.columns if column.in_key}
