package web

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/bascule/bascule/internal/fault"
)

// How long a client may take, and how long the last answers may when the server ends.
const (
	headerTime  = 10 * time.Second
	requestTime = 30 * time.Second
	idleTime    = 2 * time.Minute
	endTime     = 5 * time.Second
)

// Serve answers on ln, with TLS where a configuration is given, until the context ends; then viewers are let go, and what is being answered is answered. It
// closes ln. Its error is nil when the context ended it.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, tlsConfig *tls.Config) error {
	srv := &http.Server{
		Handler: h, TLSConfig: tlsConfig, ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: requestTime, IdleTimeout: idleTime,
		MaxHeaderBytes: 1 << 14,
		BaseContext:    func(net.Listener) context.Context { return ctx },
		ErrorLog:       slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // clients that break off are no news
	}
	ended := make(chan error, 1)
	go func() {
		if tlsConfig != nil {
			ended <- srv.ServeTLS(ln, "", "")
			return
		}
		ended <- srv.Serve(ln)
	}()
	select {
	case err := <-ended:
		return fault.New(fault.Resource, "serve the dashboard on "+ln.Addr().String(), err, "look whether another program listens there")
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	if err := srv.Shutdown(last); err != nil {
		_ = srv.Close() // somebody does not read: nothing is lost, the journal has it
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return fault.New(fault.Internal, "end the dashboard", err, "")
	}
	return nil
}
