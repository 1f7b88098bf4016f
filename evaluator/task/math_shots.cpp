#include "evaluator/task/math_shots.hpp"

namespace crucible::task {
namespace {

struct Shot {
  const char* problem;
  const char* solution;
};

constexpr Shot kShots[] = {
    {R"tex(Find the domain of the expression  $\frac{\sqrt{x-2}}{\sqrt{5-x}}$.)tex",
     R"tex(The expressions inside each square root must be non-negative. Therefore, $x-2 \ge 0$, so $x\ge2$, and $5 - x \ge 0$, so $x \le 5$. Also, the denominator cannot be equal to zero, so $5-x>0$, which gives $x<5$. Therefore, the domain of the expression is $\boxed{[2,5)}$.
Final Answer: The final answer is $[2,5)$. I hope it is correct.)tex"},
    {R"tex(If $\det \mathbf{A} = 2$ and $\det \mathbf{B} = 12,$ then find $\det (\mathbf{A} \mathbf{B}).$)tex",
     R"tex(We have that $\det (\mathbf{A} \mathbf{B}) = (\det \mathbf{A})(\det \mathbf{B}) = (2)(12) = \boxed{24}.$
Final Answer: The final answer is $24$. I hope it is correct.)tex"},
    {R"tex(Terrell usually lifts two 20-pound weights 12 times. If he uses two 15-pound weights instead, how many times must Terrell lift them in order to lift the same total weight?)tex",
     R"tex(If Terrell lifts two 20-pound weights 12 times, he lifts a total of $2\cdot 12\cdot20=480$ pounds of weight.  If he lifts two 15-pound weights instead for $n$ times, he will lift a total of $2\cdot15\cdot n=30n$ pounds of weight.  Equating this to 480 pounds, we can solve for $n$:
\begin{align*}
30n&=480\\
\Rightarrow\qquad n&=480/30=\boxed{16}
\end{align*}
Final Answer: The final answer is $16$. I hope it is correct.)tex"},
    {R"tex(If the system of equations

\begin{align*}
6x-4y&=a,\\
6y-9x &=b.
\end{align*}has a solution $(x, y)$ where $x$ and $y$ are both nonzero,
find $\frac{a}{b},$ assuming $b$ is nonzero.)tex",
     R"tex(If we multiply the first equation by $-\frac{3}{2}$, we obtain

$$6y-9x=-\frac{3}{2}a.$$Since we also know that $6y-9x=b$, we have

$$-\frac{3}{2}a=b\Rightarrow\frac{a}{b}=\boxed{-\frac{2}{3}}.$$
Final Answer: The final answer is $-\frac{2}{3}$. I hope it is correct.)tex"},
};

void replace_once(std::string& text, std::string_view from, std::string_view to) {
  const std::size_t place = text.find(from);
  if (place != std::string::npos) text.replace(place, from.size(), to);
}

}  // namespace

std::vector<Json> minerva_shots() {
  std::vector<Json> shots;
  for (const Shot& shot : kShots) {
    shots.push_back({{"problem", shot.problem}, {"solution", shot.solution}, {"few_shot", "1"}});
  }
  return shots;
}

// A stray brace ends the first problem, and two line ends are a single backslash.
std::vector<Json> leaderboard_math_shots() {
  std::vector<Json> shots = minerva_shots();
  for (std::size_t i = 0; i < shots.size(); ++i) {
    std::string problem = shots[i]["problem"];
    std::string solution = shots[i]["solution"];
    if (i == 0) problem += '}';
    replace_once(solution, R"(480\\)", R"(480\)");
    replace_once(problem, R"(a,\\)", R"(a,\)");
    shots[i]["problem"] = problem;
    shots[i]["solution"] = solution;
    shots[i]["level"] = "Level 5";
  }
  return shots;
}

}  // namespace crucible::task
