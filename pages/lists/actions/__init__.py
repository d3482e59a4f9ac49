"""What a person does to rows: marks, tags, closing, archiving, deletion and export, of one or of many."""
