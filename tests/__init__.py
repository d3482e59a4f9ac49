"""Tests of the app, whose processes keep the bytecode of what they import."""

import local_supabase.tests  # noqa: F401 - has Python write bytecode
