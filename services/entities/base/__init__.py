"""What a monitored table is declared with: row models, statuses, layout and listing."""
