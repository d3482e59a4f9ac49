-- Search in the rows of the lists: each row's text without case and accents, with an index of its parts.
--
-- In tables of their own: a report of progress does not touch them, and row-level security, whose conditions come before
-- operators that are not leakproof, would not let a user's search of the rows' own tables use such an index. The views
-- below show a user the texts of their own organisations alone; the rows themselves are read under row-level security.

-- The text for comparison, as `services.text.folded` returns it: terminal sequences, control and format characters and
-- accents are left out, letters are small ones.
create function private.folded(given text) returns text
language sql immutable strict parallel safe
as $$
    select case when given !~ '[^ -~]' then lower(given collate "C") else
        replace(replace(lower(regexp_replace(normalize(regexp_replace(given,
            '(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?'
            '|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?'
            '|\u001b[ -/]*[0-~]?', '', 'g'), NFKD),
            '['
            '\u0001-\u0008\u000B-\u001F\u007F-\u009F\u00AD\u0300-\u034E\u0350-\u036F\u0483-\u0487\u0591-\u05BD'
            '\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7\u0600-\u0605\u0610-\u061A\u061C\u064B-\u065F\u0670\u06D6-\u06DD'
            '\u06DF-\u06E4\u06E7\u06E8\u06EA-\u06ED\u070F\u0711\u0730-\u074A\u07EB-\u07F3\u07FD\u0816-\u0819'
            '\u081B-\u0823\u0825-\u0827\u0829-\u082D\u0859-\u085B\u0890-\u089F\u08CA-\u08FF\u093C\u094D'
            '\u0951-\u0954\u09BC\u09CD\u09FE\u0A3C\u0A4D\u0ABC\u0ACD\u0B3C\u0B4D\u0BCD\u0C3C\u0C4D-\u0C56\u0CBC'
            '\u0CCD\u0D3B\u0D3C\u0D4D\u0DCA\u0E38-\u0E3A\u0E48-\u0E4B\u0EB8-\u0EBA\u0EC8-\u0ECB\u0F18\u0F19\u0F35'
            '\u0F37\u0F39\u0F71\u0F72\u0F74\u0F7A-\u0F7D\u0F80\u0F82-\u0F84\u0F86\u0F87\u0FC6\u1037\u1039\u103A'
            '\u108D\u135D-\u135F\u1714\u1715\u1734\u17D2\u17DD\u180E\u18A9\u1939-\u193B\u1A17\u1A18\u1A60'
            '\u1A75-\u1A7F\u1AB0-\u1ABD\u1ABF-\u1ACE\u1B34\u1B44\u1B6B-\u1B73\u1BAA\u1BAB\u1BE6\u1BF2\u1BF3\u1C37'
            '\u1CD0-\u1CD2\u1CD4-\u1CE0\u1CE2-\u1CE8\u1CED\u1CF4\u1CF8\u1CF9\u1DC0-\u1DFF\u200B\u200E\u200F'
            '\u202A-\u202E\u2060-\u206F\u20D0-\u20DC\u20E1\u20E5-\u20F0\u2CEF-\u2CF1\u2D7F\u2DE0-\u2DFF'
            '\u302A-\u302F\u3099\u309A\uA66F\uA674-\uA67D\uA69E\uA69F\uA6F0\uA6F1\uA806\uA82C\uA8C4\uA8E0-\uA8F1'
            '\uA92B-\uA92D\uA953\uA9B3\uA9C0\uAAB0\uAAB2-\uAAB4\uAAB7\uAAB8\uAABE\uAABF\uAAC1\uAAF6\uABED\uFB1E'
            '\uFE20-\uFE2F\uFEFF\uFFF9-\uFFFB\U000101FD\U000102E0\U00010376-\U0001037A\U00010A0D\U00010A0F'
            '\U00010A38-\U00010A3F\U00010AE5\U00010AE6\U00010D24-\U00010D27\U00010EAB\U00010EAC'
            '\U00010F46-\U00010F50\U00010F82-\U00010F85\U00011046\U00011070\U0001107F\U000110B9\U000110BA'
            '\U000110BD\U000110CD\U00011100-\U00011102\U00011133\U00011134\U00011173\U000111C0\U000111CA'
            '\U00011235\U00011236\U000112E9\U000112EA\U0001133B\U0001133C\U0001134D\U00011366-\U00011374'
            '\U00011442\U00011446\U0001145E\U000114C2\U000114C3\U000115BF\U000115C0\U0001163F\U000116B6\U000116B7'
            '\U0001172B\U00011839\U0001183A\U0001193D\U0001193E\U00011943\U000119E0\U00011A34\U00011A47\U00011A99'
            '\U00011C3F\U00011D42\U00011D44\U00011D45\U00011D97\U00013430-\U00013438\U00016AF0-\U00016AF4'
            '\U00016B30-\U00016B36\U00016FF0\U00016FF1\U0001BC9E\U0001BCA0-\U0001BCA3\U0001D165-\U0001D169'
            '\U0001D16D-\U0001D182\U0001D185-\U0001D18B\U0001D1AA-\U0001D1AD\U0001D242-\U0001D244'
            '\U0001E000-\U0001E02A\U0001E130-\U0001E136\U0001E2AE\U0001E2EC-\U0001E2EF\U0001E8D0-\U0001E8D6'
            '\U0001E944-\U0001E94A\U000E0001-\U000E007F'
            ']', '', 'g')), 'ß', 'ss'), 'ς', 'σ') end
$$;

-- The runs of three bytes of a text in UTF-8, each as a number.
create function private.grams(given text) returns integer[]
language sql immutable strict parallel safe cost 1000
as $$
    select coalesce(array_agg(distinct
        get_byte(bytes, n) << 16 | get_byte(bytes, n + 1) << 8 | get_byte(bytes, n + 2)), '{}')
    from convert_to(given, 'UTF8') as bytes, generate_series(0, length(bytes) - 3) as n
$$;

-- Makes the rows of a table searchable: a table `private.<table>_texts`, triggers that keep it, and the view
-- `private.<table>_searchable` for users.
--   table_name  in the schema public
--   columns     that are searched
--   expression  of the text, over the columns of `found`; a search looks through its first 4,000 characters
--   seen        condition of the view, over the columns of `texts`
create function private.make_searchable(table_name text, columns text[], expression text, seen text) returns void
language plpgsql set search_path = ''
as $$
declare
    texts constant text := table_name || '_texts';
    scopes constant text := case when seen like '%user_id%' then 'org_id, user_id' else 'org_id' end;
    old_columns constant text := (select string_agg(format('old.%I', name), ', ') from unnest(columns) as name);
    new_columns constant text := (select string_agg(format('new.%I', name), ', ') from unnest(columns) as name);
begin
    -- The parts are stored: of a common word PostgreSQL compares them row by row, and computes them a hundred times slower.
    execute format(
        'create table private.%I (
             row_id uuid primary key, org_id uuid not null %s, text text collate "C" not null,
             grams integer[] not null generated always as (private.grams(text)) stored)',
        texts, case when scopes like '%user_id' then ', user_id uuid not null' else '' end);
    execute format('alter table private.%I enable row level security', texts);
    execute format(
        'insert into private.%I (row_id, %s, text)
         select id, %s, private.folded(left(%s, 4000)) from public.%I as found', texts, scopes, scopes, expression, table_name);
    execute format('create index on private.%I using gin (grams) with (gin_pending_list_limit = 512)', texts);
    execute format(
        'create view private.%I as select row_id, %s, text, grams from private.%I as texts where %s',
        table_name || '_searchable', scopes, texts, seen);
    execute format('grant select on private.%I to authenticated', table_name || '_searchable');

    execute format(
        'create function private.note_new_%s() returns trigger language plpgsql security definer set search_path = ''''
         as $body$ begin
             insert into private.%I (row_id, %s, text) select id, %s, private.folded(left(%s, 4000)) from new_rows as found;
             return null;
         end $body$', texts, texts, scopes, scopes, expression);
    execute format(
        'create trigger note_new_text after insert on public.%I referencing new table as new_rows
         for each statement execute function private.note_new_%s()', table_name, texts);
    execute format(
        'create function private.note_%s() returns trigger language plpgsql security definer set search_path = ''''
         as $body$ begin
             update private.%I as texts set text = private.folded(left(%s, 4000))
             from (select new.*) as found where texts.row_id = new.id;
             return null;
         end $body$', texts, texts, expression);
    execute format(
        'create trigger note_text after update of %s on public.%I for each row
         when ((%s) is distinct from (%s)) execute function private.note_%s()',
        array_to_string(columns, ', '), table_name, old_columns, new_columns, texts);
    execute format(
        'create function private.forget_%s() returns trigger language plpgsql security definer set search_path = ''''
         as $body$ begin
             if tg_op = ''TRUNCATE'' then
                 truncate private.%I;
             else
                 delete from private.%I where row_id in (select id from old_rows);
             end if;
             return null;
         end $body$', texts, texts, texts);
    execute format(
        'create trigger forget_text after delete on public.%I referencing old table as old_rows
         for each statement execute function private.forget_%s()', table_name, texts);
    execute format(
        'create trigger forget_texts after truncate on public.%I
         for each statement execute function private.forget_%s()', table_name, texts);
end
$$;
revoke execute on function private.make_searchable(text, text[], text, text) from public;

select private.make_searchable('streams', '{name,stream_type,tags,description}',
    'concat_ws('' '', name, stream_type, nullif(array_to_string(tags, '' ''), ''''), description)',
    'org_id in (select private.my_orgs())');
select private.make_searchable('acquisition_scans', '{name,tags,current_step,error}',
    'concat_ws('' '', name, nullif(array_to_string(tags, '' ''), ''''), coalesce(current_step, ''''), coalesce(error, ''''))',
    'org_id in (select private.my_orgs())');
select private.make_searchable('agent_executions', '{agent_name,agent_id,tags,output_summary,error}',
    'concat_ws('' '', agent_name, agent_id, nullif(array_to_string(tags, '' ''), ''''), coalesce(output_summary, ''''), '
    'coalesce(error, ''''))', 'org_id in (select private.my_orgs())');
select private.make_searchable('signal_alerts', '{target_name,company_name,signal_type}',
    'concat_ws('' '', target_name, coalesce(company_name, ''''), replace(signal_type, ''_'', '' ''))',
    'user_id = (select auth.uid()) and org_id in (select private.my_orgs())');
select private.make_searchable('notifications', '{title,message}', 'concat_ws('' '', title, message)',
    'user_id = (select auth.uid()) and org_id in (select private.my_orgs())');
grant execute on function private.folded(text), private.grams(text) to authenticated;
