"""What keeps a feed equal to the database: its connection, snapshots, probes and counts."""
