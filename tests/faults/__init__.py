"""Everything that can break between shipit and the cluster, broken on purpose; an oracle says what held."""
