-- Begins what a forgotten session would that has written something.
BEGIN
