// CoreDNS with only the plugins that the benchmark needs: a full build takes many minutes.
package main

import (
	"github.com/coredns/coredns/coremain"

	_ "github.com/coredns/coredns/plugin/bind"
	_ "github.com/coredns/coredns/plugin/file"
	_ "github.com/coredns/coredns/plugin/tls"
)

func main() { coremain.Run() }
