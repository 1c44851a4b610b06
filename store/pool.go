package store

import "context"

// Pool is the seats of one paid license in one company. The counts are kept by the store with the accounts they follow from.
type Pool struct {
	Company string
	License string
	Total   int // seats bought
	Ceiling int // what the total may be raised to when somebody needs a seat; at or below Total: it may not

	Used     int // Reserved + Active + Held
	Reserved int
	Active   int
	Held     int
	Waiting  int // accounts in the queue
}

// Pools keeps the pools, the seats in them and the queues for them.
type Pools interface {
	// Pool gives the pool with its counts; one that was never bought has a total of 0.
	Pool(ctx context.Context, company, license string) (Pool, error)
	// ListPools gives all pools of the company that have seats or people waiting.
	ListPools(ctx context.Context, company string) ([]Pool, error)
	// SetSeats sets the total of a pool, which may be below its used count.
	SetSeats(ctx context.Context, company, license string, total int, events []Event) error

	// SetCeiling sets the ceiling of a pool.
	SetCeiling(ctx context.Context, company, license string, ceiling int, events []Event) error
	// RaiseSeats sets the total of a pool to to: ErrVersion unless it is from.
	RaiseSeats(ctx context.Context, company, license string, from, to int, events []Event) error

	// Queue gives up to limit accounts that wait for the license: higher priority first, then earlier request, then lower id.
	Queue(ctx context.Context, company, license string, limit int) ([]Account, error)
	// Ahead says how many accounts are before the account in the queue for the license that it waits for.
	Ahead(ctx context.Context, a Account) (int, error)
	// HeldSeats gives up to limit accounts whose seat of the license is held, longest held first.
	HeldSeats(ctx context.Context, company, license string, limit int) ([]Account, error)
	// CountSeats counts seats and queue from the accounts themselves, for checking the kept counts against.
	CountSeats(ctx context.Context, company, license string) (Pool, error)
}
