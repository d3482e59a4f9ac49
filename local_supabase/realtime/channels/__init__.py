"""Channels: sockets, topics, authorization, broadcasts, presence and replay."""
