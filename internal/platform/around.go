package platform

import (
	"cmp"
	"time"
)

// Notify says where messages go. What fails to arrive holds nothing up.
type Notify struct {
	// Slack are references to webhooks that understand Slack's messages, such as env:SLACK_BRIDGE.
	Slack []string `yaml:"slack,omitempty"`
	// Mail sends messages by SMTP.
	Mail *Mail `yaml:"mail,omitempty"`
}

// Mail is a mail server, and whom it writes to.
type Mail struct {
	// Host is the mail server's name or address.
	Host string `yaml:"host"`
	// Port is the mail server's; without it 587 for starttls, 465 for tls, 25 for none.
	Port int `yaml:"port,omitempty"`
	// TLS is starttls, tls (from the first byte on) or none, which is for a server on this machine; starttls without it.
	TLS string `yaml:"tls,omitempty"`
	// From is the sender's address.
	From string `yaml:"from"`
	// To are the addresses that are written to.
	To []string `yaml:"to"`
	// User logs in at the server; without it nobody does.
	User string `yaml:"user,omitempty"`
	// Password is a reference to the user's password.
	Password string `yaml:"password,omitempty"`
}

// Serve says where the dashboard is. On an address that other machines reach it needs cert and key, or a proxy that has them.
type Serve struct {
	// Listen is host:port; 127.0.0.1:8437 without it.
	Listen string `yaml:"listen,omitempty"`
	// Proxy is the address, or the network as 10.0.0.0/8, of the reverse proxy whose word about clients is taken.
	Proxy string `yaml:"proxy,omitempty"`
	// Cert is the file of the certificate, in PEM, relative to bascule.yaml.
	Cert string `yaml:"cert,omitempty"`
	// Key is the file of the certificate's key, in PEM, relative to bascule.yaml.
	Key string `yaml:"key,omitempty"`
}

// Lesson is what became of a finding. It is open where it is neither adopted nor dismissed.
type Lesson struct {
	// Finding is the finding's ID in the journal.
	Finding string `yaml:"finding"`
	// Adopted is the step that is there, or is as it is, because of it.
	Adopted string `yaml:"adopted,omitempty"`
	// Dismissed is the reason for doing nothing about it.
	Dismissed string `yaml:"dismissed,omitempty"`
	// Owner is whose it is.
	Owner string `yaml:"owner,omitempty"`
}

// What holds where the file says nothing.
const (
	DefaultJournal       = ".bascule/rounds.db"
	DefaultRehearsalDays = 14
	DefaultListen        = "127.0.0.1:8437"
	DefaultEvery         = 10 * time.Second
)

// JournalPlace returns where rounds are written down: see Platform.Journal.
func (p *Platform) JournalPlace() string { return cmp.Or(p.Journal, DefaultJournal) }

// RehearsalAge returns how old a rehearsal may be. A day is 24 hours.
func (p *Platform) RehearsalAge() time.Duration {
	return time.Duration(cmp.Or(p.RehearsalDays, DefaultRehearsalDays)) * 24 * time.Hour
}

// ListenAddress returns where the dashboard listens, as host:port.
func (p *Platform) ListenAddress() string {
	if p.Serve == nil {
		return DefaultListen
	}
	return cmp.Or(p.Serve.Listen, DefaultListen)
}
