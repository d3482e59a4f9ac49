"""The official JavaScript client; skipped without Node."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local_supabase.process import LocalSupabase
from local_supabase.tests.speed import deadline

pytestmark = pytest.mark.integration

PACKAGES = ["@supabase/supabase-js@2", "ws@8"]
PROGRAM = """
import { createClient } from '@supabase/supabase-js';
import ws from 'ws';
const [url, key, email, password] = process.argv.slice(2);
const supabase = createClient(url, key, { realtime: { transport: ws }, auth: { persistSession: false } });
const say = (name, value) => console.log(JSON.stringify({ name, value }));
const { data, error } = await supabase.auth.signInWithPassword({ email, password });
if (error) throw error;
say('user', data.user.id);
const wrong = await supabase.auth.signInWithPassword({ email, password: 'wrong password' });
say('wrong', [wrong.error.status, wrong.error.code]);
await supabase.auth.signInWithPassword({ email, password });
await supabase.realtime.setAuth(data.session.access_token);
const joined = (channel) => new Promise((resolve) => channel.subscribe((state) => {
  if (state === 'SUBSCRIBED' || state === 'CHANNEL_ERROR') resolve(state);
}));
const topic = 'js:' + data.user.id;
const config = { private: true, broadcast: { ack: true, self: true }, presence: { key: 'js' } };
const room = supabase.channel(topic, { config });
room.on('broadcast', { event: '*' }, (message) => say('broadcast', message));
room.on('presence', { event: 'join' }, (presence) => say('presence', presence.newPresences[0].mood));
say('joined', await joined(room));
say('sent', await room.send({ type: 'broadcast', event: 'hello', payload: { n: 1 } }));
await room.httpSend('over http', { n: 3 });
const named = supabase.channel('größer/日本', { config: { broadcast: { ack: true, self: true } } });
named.on('broadcast', { event: 'é' }, (message) => say('named', message.payload.n));
await joined(named);
say('named sent', await named.send({ type: 'broadcast', event: 'é', payload: { n: 4 } }));
await named.httpSend('é', { n: 5 });
const missing = await supabase.from('todos').select();
say('missing', [missing.status, missing.error.message]);
const sso = await supabase.auth.signInWithSSO({ domain: 'example.com' });
say('sso', [sso.error.status, sso.error.code]);
await room.track({ mood: 'fine' });
say('refused', await joined(supabase.channel('private:nobody', { config: { private: true } })));
const changes = supabase.channel('changes');
changes.on('postgres_changes', { event: '*', schema: 'public', table: 'todos' }, (change) => say('change', change));
changes.on('system', {}, (system) => { if (system.extension === 'postgres_changes') say('bound', system.status); });
await joined(changes);
process.stdin.on('end', async () => { await supabase.removeAllChannels(); process.exit(0); });
process.stdin.resume();
"""


@pytest.fixture(scope="session")
async def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("Node and npm are not installed: the JavaScript client is not tested")
    folder = tmp_path_factory.mktemp("javascript")
    (folder / "package.json").write_text('{"type": "module", "private": true}')
    install = await asyncio.create_subprocess_exec(
        npm, "install", "--no-audit", "--no-fund", "--silent", *PACKAGES, cwd=folder,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(deadline(120)):
        if await install.wait():
            pytest.skip("npm could not install @supabase/supabase-js: the JavaScript client is not tested")
    (folder / "client.js").write_text(PROGRAM)
    return folder


async def test_the_javascript_client_signs_in_and_hears_broadcasts_presence_and_changes(
    project: Path, local: LocalSupabase, owner: psycopg.AsyncConnection[Any]
) -> None:
    status = local.status
    assert status.demo_email is not None
    assert status.demo_password is not None
    row = await (
        await owner.execute("select id::text from auth.users where email = %s", (status.demo_email,))
    ).fetchone()
    assert row is not None
    user = str(row[0])
    topic = f"js:{user}"
    await owner.execute("insert into public.listeners values (%s, %s)", (topic, user))
    process = await asyncio.create_subprocess_exec(
        "node", "client.js", status.api_url, status.anon_key.get_secret_value(), status.demo_email,
        status.demo_password.get_secret_value(), cwd=project,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    said: dict[str, list[Any]] = {}
    try:
        async with asyncio.timeout(deadline(40)):
            while "bound" not in said or len(said.get("presence", [])) < 1:
                await _hear(process.stdout, said)
            await owner.execute("select realtime.send('{\"n\": 2}', 'news', %s)", (topic,))
            await owner.execute("insert into public.todos (user_id, title) values (%s, 'js')", (user,))
            while len(said.get("broadcast", [])) < 3 or "change" not in said:
                await _hear(process.stdout, said)
            process.stdin.close()
            await process.wait()
    finally:
        await owner.execute("delete from public.todos")
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert said["user"] == [user]
    assert said["wrong"] == [[400, "invalid_credentials"]]
    assert said["joined"] == ["SUBSCRIBED"]
    assert said["sent"] == ["ok"]
    assert said["refused"] == ["CHANNEL_ERROR"]
    assert said["presence"] == ["fine"]
    assert said["bound"] == ["ok"]
    heard = {(message["event"], message["payload"]["n"]) for message in said["broadcast"]}
    assert heard == {("hello", 1), ("over http", 3), ("news", 2)}
    # Until version 2.109 the client writes such a topic in a way that cannot be read; then it is told so.
    assert (said["named sent"], said["named"]) in ((["ok"], [4, 5]), (["error"], [5]))
    assert said["missing"][0][0] == 404
    assert "REST is disabled" in said["missing"][0][1]
    assert said["sso"] == [[404, "saml_provider_disabled"]]
    assert said["change"][0]["new"]["title"] == "js"


async def _hear(stdout: asyncio.StreamReader, said: dict[str, list[Any]]) -> None:
    line = await stdout.readline()
    assert line, f"the client ended after {said}"
    message = json.loads(line)
    said.setdefault(message["name"], []).append(message["value"])
