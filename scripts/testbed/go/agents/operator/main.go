// Command operator stands in for Kubescape's operator: when a container's
// profile is complete and has not changed for a while, it asks kubevuln to
// scan it. Nothing else of the real one's work is done.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	keys "github.com/kubescape/k8s-interface/instanceidhandler/v1/helpers"
	"github.com/kubescape/storage/pkg/apis/softwarecomposition/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"testbed.local/agents/cluster"
)

// coolDown is how long a profile must have stayed as it is before its scan;
// each change begins it anew. It is the real operator's.
const coolDown = 15 * time.Second

// lookEvery is the time between two looks at the profiles. The real operator
// watches them, which this storage allows in all namespaces only.
const lookEvery = time.Second

// requestFor bounds one request.
const requestFor = 30 * time.Second

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	if len(os.Args) > 1 && os.Args[1] == "-version" {
		fmt.Println("operator stand-in")
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		log.Fatal("operator: ", err)
	}
}

func run(ctx context.Context) error {
	o := operator{known: map[string]*profile{}}
	if err := cluster.Read("clusterData.json", &o.data); err != nil {
		return err
	}
	var err error
	if o.clients, err = cluster.Connect(); err != nil {
		return err
	}
	go serveHealth()
	beat := time.NewTicker(lookEvery)
	defer beat.Stop()
	for {
		select {
		case <-beat.C:
			if err := o.look(ctx, time.Now()); err != nil {
				log.Print(err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// serveHealth answers the probe of the chart, at the real one's port.
func serveHealth() {
	http.HandleFunc("/v1/readiness", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	log.Fatal(http.ListenAndServe(":8000", nil))
}

type operator struct {
	clients cluster.Clients
	data    cluster.Data
	known   map[string]*profile
}

// profile is what is known of one.
type profile struct {
	checksum string
	since    time.Time
	scanned  bool
}

// look goes through all profiles and has those scanned that are due.
func (o *operator) look(ctx context.Context, now time.Time) error {
	ctx, cancel := context.WithTimeoutCause(ctx, requestFor, fmt.Errorf("no answer within %s", requestFor))
	defer cancel()
	list, err := o.clients.Storage.ContainerProfiles(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("listing profiles: %w", err)
	}
	for i := range list.Items {
		p := &list.Items[i]
		if !scannable(p) {
			continue
		}
		key, checksum := p.Namespace+"/"+p.Name, p.Annotations[keys.SyncChecksumMetadataKey]
		k := o.known[key]
		if k == nil || k.checksum != checksum {
			k = &profile{checksum: checksum, since: now}
			o.known[key] = k
		}
		if k.scanned || now.Sub(k.since) < coolDown {
			continue
		}
		if err := o.scan(ctx, p); err != nil {
			return fmt.Errorf("asking for a scan of %s: %w", key, err)
		}
		k.scanned = true
		log.Printf("asked for a scan of %s", key)
	}
	return nil
}

// scannable says that a profile is no single report of a series and is done.
func scannable(p *v1beta1.ContainerProfile) bool {
	a := p.Annotations
	return a[keys.ReportSeriesIdMetadataKey] == "" && a[keys.CompletionMetadataKey] == keys.Full &&
		slices.Contains([]string{keys.Learning, keys.Completed}, a[keys.StatusMetadataKey])
}

// scan sends kubevuln the request that the real operator sends.
func (o *operator) scan(ctx context.Context, p *v1beta1.ContainerProfile) error {
	body, err := json.Marshal(map[string]any{
		"wlid": p.Annotations[keys.WlidMetadataKey],
		"args": map[string]string{"name": p.Name, "namespace": p.Namespace},
	})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+o.data.KubevulnURL+"/v1/scanApplicationProfile", bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 256))
		return fmt.Errorf("it answered %s: %q", answer.Status, text)
	}
	return nil
}
