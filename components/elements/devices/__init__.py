"""The devices of a person, which web push reaches."""
