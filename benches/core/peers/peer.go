// The questions of benches/core, asked of Go: goroutines and channels of 1,024 (of 1 where one message is under way).
// usage: go-peer [FIGURE...]. SPDX-License-Identifier: MIT
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"sync"
	"time"
)

const runs = 5

func since(start time.Time, operations int) float64 {
	return float64(time.Since(start).Nanoseconds()) / float64(operations)
}

func yields() float64 {
	const n = 400000
	var wg sync.WaitGroup
	wg.Add(2)
	start := time.Now()
	for i := 0; i < 2; i++ {
		go func() {
			for j := 0; j < n/2; j++ {
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	return since(start, n)
}

func ringOf(count int) float64 {
	const n = 400000
	chans := make([]chan int, count)
	for i := range chans {
		chans[i] = make(chan int, 1)
	}
	done := make(chan bool)
	for i := range chans {
		go func(in, out chan int) {
			for left := range in {
				if left == 0 {
					done <- true
					return
				}
				out <- left - 1
			}
		}(chans[i], chans[(i+1)%count])
	}
	start := time.Now()
	chans[0] <- n
	<-done
	ns := since(start, n)
	for _, c := range chans {
		close(c)
	}
	return ns
}

func swallow(in chan int, n int, done chan bool) {
	sum := 0
	for i := 0; i < n; i++ {
		sum += <-in
	}
	done <- true
}

func pipeline() float64 {
	const n = 400000
	a, b, done := make(chan int, 1024), make(chan int, 1024), make(chan bool)
	start := time.Now()
	go swallow(b, n, done)
	go func() {
		for i := 0; i < n; i++ {
			b <- <-a
		}
	}()
	go func() {
		for i := 0; i < n; i++ {
			a <- 1
		}
	}()
	<-done
	return since(start, n)
}

func fanIn() float64 {
	const n, fan = 400000, 100
	in, done := make(chan int, 1024), make(chan bool)
	start := time.Now()
	go swallow(in, n, done)
	for i := 0; i < fan; i++ {
		go func() {
			for j := 0; j < n/fan; j++ {
				in <- 1
			}
		}()
	}
	<-done
	return since(start, n)
}

func fanOut() float64 {
	const n, fan = 400000, 100
	var outs [fan]chan int
	done := make(chan bool, fan)
	start := time.Now()
	for i := range outs {
		outs[i] = make(chan int, 1024)
		go swallow(outs[i], n/fan, done)
	}
	go func() {
		for j := 0; j < n/fan; j++ {
			for i := range outs {
				outs[i] <- 1
			}
		}
	}()
	for i := 0; i < fan; i++ {
		<-done
	}
	return since(start, n)
}

func lives() float64 {
	const n = 200000
	var wg sync.WaitGroup
	start := time.Now()
	for i := 0; i < n; i++ {
		wg.Add(1)
		go func() { wg.Done() }()
		wg.Wait()
	}
	return since(start, n)
}

func node(out chan int, number, size int) {
	if size == 1 {
		out <- number
		return
	}
	in, sum := make(chan int, 10), 0
	for i := 0; i < 10; i++ {
		go node(in, number+i*size/10, size/10)
	}
	for i := 0; i < 10; i++ {
		sum += <-in
	}
	out <- sum
}

func skynet() float64 {
	out := make(chan int)
	start := time.Now()
	go node(out, 0, 1000000)
	if <-out != 499999500000 {
		os.Exit(1)
	}
	return float64(time.Since(start).Nanoseconds()) / 1e6
}

func idle() float64 {
	const n = 100000
	var before, after runtime.MemStats
	park := make(chan bool)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := 0; i < n; i++ {
		go func() { <-park }()
	}
	runtime.Gosched()
	runtime.ReadMemStats(&after)
	close(park)
	return float64(after.Sys-before.Sys) / n
}

func main() {
	figures := []struct {
		name    string
		cores   int
		measure func() float64
	}{
		{"idle", 1, idle}, {"switch", 1, yields}, {"ping-pong", 1, func() float64 { return ringOf(2) }},
		{"ring", 1, func() float64 { return ringOf(503) }}, {"pipeline", 1, pipeline}, {"fan-in", 1, fanIn}, {"fan-out", 1, fanOut},
		{"make", 1, lives}, {"skynet", 1, skynet}, {"pipeline-2", 2, pipeline}, {"fan-in-2", 2, fanIn},
		{"pair-2", 2, func() float64 { return ringOf(2) }},
	}
	for _, f := range figures {
		wanted := len(os.Args) < 2
		for _, name := range os.Args[1:] {
			wanted = wanted || name == f.name
		}
		if !wanted {
			continue
		}
		runtime.GOMAXPROCS(f.cores)
		values := []float64{}
		for i := 0; i < runs && (i == 0 || f.name != "idle" && f.name != "skynet"); i++ {
			values = append(values, f.measure())
		}
		sort.Float64s(values)
		fmt.Printf("%s\t%.2f\n", f.name, values[len(values)/2])
	}
}
