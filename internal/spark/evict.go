package spark

import "context"

// ID is what the server knows the session by.
func (s *Session) ID() string { return s.builder.sessionID() }

// Evict ends another session of the same user, and what runs in it: one whose client was killed, and whose last command would
// otherwise run to its end. A session that the server does not know is ended already.
func (s *Session) Evict(ctx context.Context, id string) error {
	other := &builder{BaseBuilder: s.builder.BaseBuilder, id: id} // a connection of its own, for every call on s's is taken for s's
	conn, err := other.Build(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = (&Session{builder: other}).call(ctx, "ReleaseSession", fields{})
	return err
}
