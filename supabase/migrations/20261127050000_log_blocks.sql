-- Blocks of log lines: which parts of words some hundred lines hold, so that a search reads only blocks that may match.
--
-- An organisation's past is cut into blocks, each a range of time without a gap to the next. `bits` is a Bloom filter of
-- the runs of three and four bytes in the words of its lines. Lines may be deleted from a block at any time: it then says
-- too much, never too little. Lines that come into it later are noted by a trigger, in the transaction that writes them,
-- and a block with such a note, or whose `bits` are null, is read whole until it is made anew.
--
-- A block is made of what is older than ten minutes, and a line that is older than that when it is written is noted,
-- whether or not there are blocks. Transactions commit in any order: a block ends ten minutes before a moment in
-- `log_horizons`, after which every transaction that may still write began to write. So no line is missed.

create table private.log_blocks (
    org_id uuid not null references public.organizations (id) on delete cascade,
    start timestamptz not null,
    until timestamptz not null,
    lines integer not null,
    bits bytea,
    primary key (org_id, start)
);
-- In the row, where a search comes by: most are read, and none compresses.
alter table private.log_blocks alter column bits set storage plain;
create index log_blocks_unmade_idx on private.log_blocks (org_id, start) where bits is null;
alter table private.log_blocks enable row level security;

-- Ten minutes of an organisation, from `at` on, into which lines came late. Several notes may say the same: a unique index
-- would have programs wait for each other. Organisations may be deleted meanwhile.
create table private.late_log_lines (org_id uuid not null, at timestamptz not null);
create index late_log_lines_org_id_idx on private.late_log_lines (org_id);
alter table private.late_log_lines enable row level security;

-- Every transaction with a higher number began to write at this moment or later.
create table private.log_horizons (xid xid8 primary key, at timestamptz not null);
alter table private.log_horizons enable row level security;

-- Where looking through the blocks for deleted lines goes on.
create table private.log_block_sweep (org_id uuid not null, start timestamptz not null);
alter table private.log_block_sweep enable row level security;
insert into private.log_block_sweep values ('00000000-0000-0000-0000-000000000000', '-infinity');

-- Age from which on lines are late.
create function private.log_lag() returns interval language sql immutable parallel safe as $$ select interval '10 minutes' $$;

-- What a page shows of a line; `services.history.log_filter` has the same pattern.
create function private.shown_line(message text) returns text
language sql immutable parallel safe
as $$
    select case when message ~ '(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?|[\u0001-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]'
        then regexp_replace(message, '(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?|[\u0001-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]', '', 'g')
        else message end
$$;

-- Returns the distinct words of a text: what stands between ASCII characters that are neither letters nor digits.
create function private.log_words(given text) returns text[]
language sql immutable strict parallel safe
as $$
    select coalesce(array_agg(distinct word), '{}')
    from regexp_split_to_table(translate(lower(given), 'ς', 'σ'), '[\u0001-/:-@[-`{-\u007f]+') as word
    where octet_length(word) >= 3
$$;

-- Returns numbers of the parts of words: two of each run of three bytes, so that words of three letters tell blocks
-- apart, and one of each run of four. By multiplication, as Knuth describes (The Art of Computer Programming, 6.4).
create function private.log_probes(words text[]) returns integer[]
language sql immutable strict parallel safe cost 1000
as $$
    -- Materialized, so that each number is computed once.
    with parts as materialized (
        select distinct
            ((get_byte(bytes, n) << 16) | (get_byte(bytes, n + 1) << 8) | get_byte(bytes, n + 2))::bigint as three,
            case when n + 3 < length(bytes) then get_byte(bytes, n + 3) end as fourth
        from unnest(words) as word
        cross join convert_to(word, 'UTF8') as bytes
        cross join generate_series(0, length(bytes) - 3) as n
    ), threes as materialized (select distinct three from parts)
    select coalesce(array_agg(distinct probe), '{}') from (
        select ((three * 1640531527 & 4294967295) >> 7)::integer as probe from threes
        union all select ((three * 1500450271 & 4294967295) >> 7)::integer from threes
        union all select ((((three << 8) | fourth) * 1640531527 & 4294967295) >> 7)::integer
        from parts where fourth is not null
    ) as probes
$$;

-- Returns a Bloom filter of numbers, of eight bits for each, but half a page at most.
create function private.log_bits(probes integer[]) returns bytea
language sql immutable strict parallel safe
as $$
    select string_agg(set_byte('\x00', 0, coalesce(byte, 0)), '' order by place)
    from (select least(3960, greatest(16, cardinality(probes))) as size) as sized
    cross join generate_series(0, size - 1) as place
    left join (
        select (probe % (8 * size)) / 8 as of_byte, bit_or(1 << (probe % 8)) as byte
        from unnest(probes) as probe
        cross join (select least(3960, greatest(16, cardinality(probes))) as size) as sized group by 1
    ) as found on of_byte = place
$$;

-- Returns the parts of a text that each match holds in one word, when PostgreSQL searches for it without case: broken
-- where a character also matches one that small letters do not make the same.
create function private.log_parts(literal text) returns text[]
language sql immutable strict parallel safe
as $$
    select private.log_words(coalesce(string_agg(case
        when length(lower(letter)) = 1 and length(upper(letter)) = 1
            and translate(lower(letter), 'ς', 'σ') = translate(lower(lower(letter)), 'ς', 'σ')
            and translate(lower(letter), 'ς', 'σ') = translate(lower(upper(letter)), 'ς', 'σ') then letter
        else ' ' end, '' order by place), ''))
    from string_to_table(literal, null) with ordinality as letters (letter, place)
$$;

-- Returns where a search for the latest lines goes on from a moment back.
--   wanted       an array of alternatives, each an array of texts that a line must contain; case does not matter
--   before       lines of this moment are behind the search, too, unless `is_included`
--   after        lines before this moment are not wanted
--   max_lines    about how many lines the spans hold together
--   max_blocks   how many blocks are looked at
-- Returns `floor`, down to which the answer holds, null for all of the past; and the spans of time, latest first, that may
-- hold such lines, or null if all lines down to the floor are to be read. Those are texts: some are infinite.
create function private.log_region(
    org uuid, wanted jsonb, before timestamptz, is_included boolean, after timestamptz, max_lines integer,
    max_blocks integer default 20000, out floor timestamptz, out starts text[], out untils text[])
language plpgsql stable security definer set search_path = ''
as $$
declare
    latest constant timestamptz := (
        select block.until from private.log_blocks as block where block.org_id = org order by block.start desc limit 1);
    late constant boolean := exists (select from private.late_log_lines as note where note.org_id = org);
    condition text := '';
    alternative jsonb;
    probes integer[];
    block record;
    total integer := 0;
    last_start timestamptz;
begin
    if not (org in (select private.my_orgs()) or org in (select private.ingest_orgs('read'))) then
        starts := '{}';
        untils := '{}';
        return;
    end if;
    if latest is null then
        return;
    end if;
    for alternative in select jsonb_array_elements(wanted) loop
        probes := (
            select private.log_probes(array_agg(part))
            from jsonb_array_elements_text(alternative) as literal, unnest(private.log_parts(literal)) as part);
        if coalesce(cardinality(probes), 0) = 0 then
            return;
        end if;
        condition := condition || case when condition = '' then '' else ' or ' end || '(' || (
            select string_agg(format('get_bit(bits, %s %% (8 * octet_length(bits))) = 1', probe), ' and ')
            from unnest(probes[:60]) as probe) || ')';
    end loop;
    if condition = '' then
        return;
    end if;
    if before is null or before > latest or before = latest and is_included then
        floor := latest;
        return;
    end if;
    for block in execute format(
        'select * from (
             select start, until, lines, bits is null%s as is_open, coalesce(%s, true) as is_kept,
                 row_number() over (order by start desc) as number
             from private.log_blocks
             where org_id = $1 and start <= $2 and (start < $2 or $3) and ($4 is null or until > $4)
             order by start desc limit $5
         ) as block where is_open or is_kept or number = $5 order by start desc',
        case when late then
            ' or exists (select from private.late_log_lines as note where note.org_id = $1 and note.at < until
                  and note.at + private.log_lag() > start)'
        else '' end, condition)
        using org, before, is_included, after, max_blocks
    loop
        if block.is_open then
            if block.number = 1 then
                floor := block.start;
            else
                starts := coalesce(starts, '{}');
                floor := block.until;
            end if;
            exit;
        end if;
        if block.is_kept then
            if last_start = block.until then
                starts[cardinality(starts)] := block.start::text;
            else
                starts := starts || block.start::text;
                untils := untils || block.until::text;
            end if;
            last_start := block.start;
            total := total + block.lines;
        end if;
        if total >= max_lines or block.number = max_blocks then
            starts := coalesce(starts, '{}');
            floor := block.start;
            exit;
        end if;
    end loop;
    if floor is null then
        starts := coalesce(starts, '{}');
    elsif floor = '-infinity' then
        floor := null;
    end if;
    untils := coalesce(untils, '{}');
end
$$;

-- Makes one block of the earliest lines of a range of time; returns its end, null if there are less than `max_lines` and
-- the range is not to be filled.
create function private.make_log_block(
    org uuid, range_start timestamptz, range_until timestamptz, is_filled boolean, max_lines integer)
    returns timestamptz
language plpgsql set search_path = ''
as $$
declare
    -- Lines of the same moment are in one block.
    cut constant timestamptz := (
        select line.at from public.log_lines as line
        where line.org_id = org and line.at >= range_start and line.at < range_until
        order by line.at, line.id offset max_lines limit 1);
    block_until timestamptz := case when cut > range_start then cut
        when cut is null and is_filled then range_until end;
    count integer;
    made bytea;
begin
    if cut = range_start then
        block_until := coalesce((
            select line.at from public.log_lines as line
            where line.org_id = org and line.at > range_start and line.at < range_until order by line.at limit 1),
            case when is_filled then range_until end);
    end if;
    if block_until is null then
        return null;
    end if;
    select count(*), private.log_bits(private.log_probes(private.log_words(
        coalesce(string_agg(private.shown_line(line.message), E'\n'), ''))))
    into count, made
    from public.log_lines as line where line.org_id = org and line.at >= range_start and line.at < block_until;
    insert into private.log_blocks as block (org_id, start, until, lines, bits)
    values (org, range_start, block_until, count, made)
    on conflict (org_id, start) do update set until = excluded.until, lines = excluded.lines, bits = excluded.bits;
    if is_filled and block_until < range_until then
        insert into private.log_blocks (org_id, start, until, lines) values (org, block_until, range_until, 0);
    end if;
    return block_until;
end
$$;

-- Joins blocks of which most lines were deleted with the later one beside them; looks at `max_blocks`.
create function private.join_log_blocks(max_blocks integer) returns void
language plpgsql set search_path = ''
as $$
declare
    place private.log_block_sweep;
    is_same boolean := false;
    block record;
    next_start timestamptz;
    left_over integer;
begin
    select * into place from private.log_block_sweep;
    for seen in 1..max_blocks loop
        select one.org_id, one.start, one.until, one.lines into block from private.log_blocks as one
        where (one.org_id, one.start) >= (place.org_id, place.start)
            and (is_same or (one.org_id, one.start) > (place.org_id, place.start)) and one.bits is not null
        order by one.org_id, one.start limit 1;
        if not found then
            place := ('00000000-0000-0000-0000-000000000000', '-infinity');
            exit;
        end if;
        place := (block.org_id, block.start);
        is_same := false;
        left_over := (
            select count(*) from (
                select from public.log_lines as line where line.org_id = block.org_id
                    and line.at >= block.start and line.at < block.until limit block.lines / 4 + 1) as some_lines);
        continue when left_over > block.lines / 4;
        next_start := (
            select one.start from private.log_blocks as one
            where one.org_id = block.org_id and one.start = block.until);
        continue when next_start is null and left_over > 0;
        delete from private.log_blocks as one where one.org_id = block.org_id and one.start = block.start;
        update private.log_blocks as one set start = block.start, bits = case when left_over = 0 then one.bits end
        where one.org_id = block.org_id and one.start = next_start;
        is_same := true;
    end loop;
    update private.log_block_sweep set org_id = place.org_id, start = place.start;
end
$$;

-- Makes blocks of lines that are old enough, and those anew into which lines came; returns how many were made, 0 while
-- another caller does.
create function private.make_log_blocks(max_blocks integer default 20, max_lines integer default 512) returns integer
language plpgsql security definer set search_path = ''
as $$
declare
    horizon timestamptz;
    one record;
    place timestamptz;
    made integer := 0;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('livewatch log blocks', 0)) then
        return 0;
    end if;
    -- The time of the transaction is before its number.
    insert into private.log_horizons (xid, at) values (pg_current_xact_id(), now()) on conflict do nothing;
    select max(known.at) - private.log_lag() * 1.1 into horizon from private.log_horizons as known
    where known.xid < pg_snapshot_xmin(pg_current_snapshot());
    delete from private.log_horizons where at < horizon + private.log_lag() * 1.1;

    -- First the notes, then the blocks: lines whose notes are gone are seen from here on.
    with gone as (delete from private.late_log_lines returning org_id, at)
    update private.log_blocks as block set bits = null
    from (select distinct org_id, at from gone) as note
    where block.org_id = note.org_id and note.at < block.until and note.at + private.log_lag() > block.start
        and block.bits is not null;

    for one in select org_id, start, until from private.log_blocks where bits is null order by org_id, start limit max_blocks
    loop
        place := one.start;
        while place < one.until and made < max_blocks loop
            place := private.make_log_block(one.org_id, place, one.until, true, max_lines);
            made := made + 1;
        end loop;
    end loop;
    if horizon is not null then
        for one in
            select organization.id as org_id, coalesce((
                select block.until from private.log_blocks as block where block.org_id = organization.id
                order by block.start desc limit 1), '-infinity') as until
            from public.organizations as organization
        loop
            exit when made >= max_blocks;
            place := one.until;
            while made < max_blocks loop
                place := private.make_log_block(one.org_id, place, horizon, false, max_lines);
                exit when place is null;
                made := made + 1;
            end loop;
        end loop;
    end if;
    return made;
end
$$;

-- As `make_log_blocks`, for what is deleted.
create function private.tidy_log_blocks(max_blocks integer default 1000) returns void
language plpgsql security definer set search_path = ''
as $$
begin
    if pg_try_advisory_xact_lock(hashtextextended('livewatch log blocks', 0)) then
        perform private.join_log_blocks(max_blocks);
    end if;
end
$$;

-- Keeps the latest 10,000 lines of each run, and notes those that come late.
create or replace function private.trim_log() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    -- Materialized, so that the bound is computed once a run and not once a line.
    with excess as materialized (
        select run.org_id, run.run_id, line.id
        from (select distinct org_id, run_id from added) as run
        cross join lateral (
            select kept.id from public.log_lines as kept
            where kept.run_id = run.run_id and kept.org_id = run.org_id
            order by kept.id desc offset 10000 limit 1
        ) as line
    )
    delete from public.log_lines as line using excess
    where line.org_id = excess.org_id and line.run_id = excess.run_id and line.id <= excess.id;
    insert into private.late_log_lines (org_id, at)
    select distinct org_id, date_bin(private.log_lag(), greatest(at, '4000-01-01 BC'), 'epoch') from added
    where at < clock_timestamp() - private.log_lag();
    return null;
end
$$;

-- Notes lines that were changed, which only the database's owner does.
create function private.note_changed_lines() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    insert into private.late_log_lines (org_id, at)
    select distinct org_id, date_bin(private.log_lag(), greatest(at, '4000-01-01 BC'), 'epoch') from changed
    where at < 'infinity';
    return null;
end
$$;
create trigger note_changed_lines after update on public.log_lines
    referencing new table as changed for each statement execute function private.note_changed_lines();

revoke execute on function
    private.make_log_block(uuid, timestamptz, timestamptz, boolean, integer), private.join_log_blocks(integer),
    private.make_log_blocks(integer, integer), private.tidy_log_blocks(integer), private.note_changed_lines(),
    private.log_region(uuid, jsonb, timestamptz, boolean, timestamptz, integer, integer) from public;
grant execute on function
    private.make_log_blocks(integer, integer), private.tidy_log_blocks(integer),
    private.log_region(uuid, jsonb, timestamptz, boolean, timestamptz, integer, integer) to authenticated, service_role;
