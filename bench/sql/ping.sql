-- The least that the server can be asked: a round trip.
SELECT 1
